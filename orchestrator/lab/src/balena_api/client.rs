//! The device's own side: what the supervisor on a virtual Pi says to the API at each poll.
//!
//! It speaks HTTP over a socket of its own, one request per connection, so that a virtual Pi needs no more than the
//! API's address from its `config.json`, and for TLS the authority that stands there, too.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A supervisor gives the API this long for one answer (balena supervisor: `apiTimeout`, 59 s).
const ANSWER_LIMIT: Duration = Duration::from_secs(59);

/// A virtual Pi as the API's client.
pub struct DeviceClient {
    host: String,
    tls: Option<TlsConnector>,
    uuid: String,
    device_key: String,
    runs_app: bool,
}

/// What came of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported {
    /// The API knows the device now.
    Seen {
        /// How long the device shall wait before the next report.
        poll_interval: Duration,
        /// The configuration that it shall have.
        config: BTreeMap<String, String>,
    },
    /// The API has no such device; a real one stays silent and asks again.
    Unregistered,
}

/// Why a report did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum DeviceClientError {
    /// The endpoint is not an address of the lab.
    #[error(
        "the lab's devices need an API at http://host:port, or https:// with an authority, not {0}"
    )]
    Endpoint(String),
    /// What stands under `balenaRootCA` is no certificate.
    #[error("the API's authority cannot be understood")]
    Authority,
    /// The API could not be talked to.
    #[error("failed to reach the API at {host}")]
    Reach {
        /// Host and port.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The API refused; 401 is a wrong device key.
    #[error("the API answered {status} to {request}")]
    Refused {
        /// The status.
        status: u16,
        /// Method and path.
        request: String,
    },
    /// The answer is not of the API's form.
    #[error("the API's answer to {request} cannot be understood")]
    Garbled {
        /// Method and path.
        request: String,
    },
}

impl fmt::Debug for DeviceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceClient").field("host", &self.host).field("uuid", &self.uuid).finish()
    }
}

impl DeviceClient {
    /// A client for the device of this uuid and key, as its `config.json` has them.
    ///
    /// # Errors
    /// If the endpoint is not plain HTTP with a port.
    pub fn new(
        api_endpoint: &str,
        uuid: impl Into<String>,
        device_key: impl Into<String>,
    ) -> Result<Self, DeviceClientError> {
        let client = Self {
            host: host(api_endpoint, "http://")?,
            tls: None,
            uuid: uuid.into(),
            device_key: device_key.into(),
            runs_app: true,
        };
        Ok(client)
    }

    /// The same over TLS, trusting only this authority: Base64 of PEM, as `balenaRootCA` has it.
    ///
    /// # Errors
    /// If the endpoint is not HTTPS with a port, or there is no certificate in the text.
    pub fn with_authority(
        api_endpoint: &str,
        root_ca: &str,
        uuid: impl Into<String>,
        device_key: impl Into<String>,
    ) -> Result<Self, DeviceClientError> {
        let host = host(api_endpoint, "https://")?;
        let config = trusting(root_ca).ok_or(DeviceClientError::Authority)?;
        let tls = Some(TlsConnector::from(Arc::new(config)));
        let (uuid, device_key) = (uuid.into(), device_key.into());
        Ok(Self { host, tls, uuid, device_key, runs_app: true })
    }

    /// The same, on a device whose app never comes up.
    #[must_use]
    pub fn without_app(self) -> Self {
        Self { runs_app: false, ..self }
    }

    /// One poll: asks for the target state, which is the heartbeat, then reports the device's own.
    ///
    /// # Errors
    /// If the API cannot be reached, refuses, or answers nonsense; the next poll may succeed.
    pub async fn report(
        &self,
        os_version: &str,
        mac_address: &str,
        ip_address: &str,
    ) -> Result<Reported, DeviceClientError> {
        let path = format!("/device/v3/{}/state", self.uuid);
        let (status, body) = self.send("GET", &path, None).await?;
        let (poll_interval, config) = match status {
            200 => target_config(&body, &self.uuid)
                .ok_or_else(|| DeviceClientError::Garbled { request: format!("GET {path}") })?,
            304 => return Ok(Reported::Unregistered),
            _ => return Err(DeviceClientError::Refused { status, request: format!("GET {path}") }),
        };
        let mut own = json!({
            "status": "Idle",
            "os_version": os_version,
            "os_variant": "prod",
            "supervisor_version": "17.4.0",
            "mac_address": mac_address,
            "ip_address": ip_address,
            "provisioning_state": "",
            "provisioning_progress": null,
        });
        if let Some(apps) = target_app(&body, &self.uuid).filter(|_| self.runs_app) {
            own["apps"] = apps;
        }
        let body = Value::Object(Map::from_iter([(self.uuid.clone(), own)]));
        let (status, _) = self.send("PATCH", "/device/v3/state", Some(&body)).await?;
        match status {
            200 => Ok(Reported::Seen { poll_interval, config }),
            _ => {
                let request = "PATCH /device/v3/state".to_owned();
                Err(DeviceClientError::Refused { status, request })
            }
        }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Vec<u8>), DeviceClientError> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.host,
            self.device_key,
            body.len(),
        );
        let answer = tokio::time::timeout(ANSWER_LIMIT, self.exchange(&request))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|source| DeviceClientError::Reach { host: self.host.clone(), source })?;
        parse(&answer)
            .ok_or_else(|| DeviceClientError::Garbled { request: format!("{method} {path}") })
    }

    /// Sends a request and reads until the API closes the connection.
    async fn exchange(&self, request: &str) -> io::Result<Vec<u8>> {
        let stream = TcpStream::connect(&self.host).await?;
        let Some(tls) = &self.tls else { return ask(stream, request).await };
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        ask(tls.connect(name, stream).await?, request).await
    }
}

async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer)
}

/// Host and port of an address that begins with this.
fn host(api_endpoint: &str, scheme: &str) -> Result<String, DeviceClientError> {
    let host = api_endpoint.strip_prefix(scheme).map(|rest| rest.trim_end_matches('/'));
    let host = host.filter(|host| host.contains(':') && !host.contains('/'));
    host.map(str::to_owned).ok_or_else(|| DeviceClientError::Endpoint(api_endpoint.to_owned()))
}

/// TLS that trusts this authority and no other.
fn trusting(root_ca: &str) -> Option<ClientConfig> {
    let pem = BASE64_STANDARD.decode(root_ca).ok()?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.ok()?).ok()?;
    }
    if roots.is_empty() {
        return None;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Some(config.ok()?.with_root_certificates(roots).with_no_client_auth())
}

/// Status and body of an answer that ends with its connection.
fn parse(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(end + 4);
    let status = std::str::from_utf8(head).ok()?.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    Some((status.parse().ok()?, body.to_vec()))
}

/// The app as the device reports it once it runs.
fn target_app(target: &[u8], uuid: &str) -> Option<Value> {
    let target: Value = serde_json::from_slice(target).ok()?;
    let (fleet, app) = target[uuid]["apps"].as_object()?.iter().next()?;
    let commit = app["releases"].as_object()?.keys().next()?;
    Some(json!({ fleet: { "release_uuid": commit } }))
}

/// The poll interval, and the rest of the configuration.
fn target_config(target: &[u8], uuid: &str) -> Option<(Duration, BTreeMap<String, String>)> {
    let target: Value = serde_json::from_slice(target).ok()?;
    let mut config: BTreeMap<String, String> =
        serde_json::from_value(target[uuid]["config"].clone()).ok()?;
    let interval = config.remove("RESIN_SUPERVISOR_POLL_INTERVAL")?;
    Some((Duration::from_millis(interval.parse().ok()?), config))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::{ApiConfig, BalenaApi, FleetConfig, HeartbeatState};
    use super::*;

    const UUID: &str = "2925c2cf3cd44910aa623bdd717824e2";

    /// An API with one device, registered by its user.
    async fn api() -> BalenaApi {
        let fleet = FleetConfig {
            slug: "acme/kiosks".to_owned(),
            device_type: "raspberrypi3".to_owned(),
            architecture: "armv7hf".to_owned(),
            id: 5,
            release: Vec::new(),
        };
        let config = ApiConfig::new("token", vec![fleet]);
        let api = BalenaApi::start("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
        let body = json!({
            "application": 5, "device_type": "raspberrypi3", "uuid": UUID, "api_key": "device",
        });
        let user = DeviceClient::new(&api.url(), UUID, "token").unwrap();
        let (status, _) = user.send("POST", "/device/register", Some(&body)).await.unwrap();
        assert_eq!(status, 201);
        api
    }

    #[tokio::test]
    async fn a_report_makes_a_device_known() {
        let api = api().await;
        assert_eq!(api.devices()[0].heartbeat, HeartbeatState::Unknown);
        let device = DeviceClient::new(&api.url(), UUID, "device").unwrap();
        let reported =
            device.report("balenaOS 6.0.24", "DC:A6:32:00:00:01", "10.0.0.7").await.unwrap();
        let poll_interval = Duration::from_secs(600);
        assert_eq!(reported, Reported::Seen { poll_interval, config: BTreeMap::new() });
        let known = &api.devices()[0];
        assert_eq!(known.heartbeat, HeartbeatState::Online);
        assert_eq!(known.os_version.as_deref(), Some("balenaOS 6.0.24"));
        assert_eq!(known.mac_address.as_deref(), Some("DC:A6:32:00:00:01"));
        assert_eq!(known.ip_address.as_deref(), Some("10.0.0.7"));
    }

    #[tokio::test]
    async fn only_the_devices_own_key_is_a_heartbeat() {
        let api = api().await;
        let with = |key: &str| DeviceClient::new(&api.url(), UUID, key).unwrap();
        let error = with("wrong").report("", "", "").await.unwrap_err();
        assert!(matches!(error, DeviceClientError::Refused { status: 401, .. }));
        // The user may ask for the target state, but not report as the device.
        let error = with("token").report("", "", "").await.unwrap_err();
        assert!(matches!(error, DeviceClientError::Refused { status: 401, .. }));
        assert_eq!(api.devices()[0].heartbeat, HeartbeatState::Unknown);
    }

    #[tokio::test]
    async fn a_device_that_is_not_registered_is_not_told() {
        let api = api().await;
        let stranger = DeviceClient::new(&api.url(), "0".repeat(32), "device").unwrap();
        assert_eq!(stranger.report("", "", "").await.unwrap(), Reported::Unregistered);
    }

    #[tokio::test]
    async fn an_api_that_is_stopped_cannot_be_reached() {
        let api = api().await;
        let device = DeviceClient::new(&api.url(), UUID, "device").unwrap();
        api.stop().await;
        let error = device.report("", "", "").await.unwrap_err();
        assert!(matches!(error, DeviceClientError::Reach { .. }));
    }

    #[test]
    fn devices_of_the_lab_speak_plain_http_to_a_port() {
        assert!(DeviceClient::new("http://127.0.0.1:4000/", UUID, "device").is_ok());
        for bad in ["https://127.0.0.1:4000", "127.0.0.1:4000", "http://host", "http://h:1/v7"] {
            assert!(DeviceClient::new(bad, UUID, "device").is_err(), "{bad}");
        }
    }
}

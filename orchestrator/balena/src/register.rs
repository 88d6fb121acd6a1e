//! Registering a device under a uuid and key of our own, once, however often it is tried.
//!
//! The uuid and the device key are chosen and kept before the first try. So whatever becomes of an
//! answer, one question settles it: who can see the device with the chosen device key, owns it.

use crate::failure::Failure;
use crate::odata;
use crate::setup::Balena;
use crate::token::Token;
use jiff::Timestamp;
use migos_engine::port::{BalenaError, Registration};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

/// balena's own tools let a provisioning key live for ten minutes (balena SDK, `generateProvisioningKey`).
const KEY_LIFE_SECONDS: i64 = 600;

#[derive(Deserialize)]
struct Registered {
    id: u64,
}

impl Balena {
    /// Registers the device and names it. Returns balena's id of it.
    pub(crate) async fn register_once(&self, device: &Registration) -> Result<u64, BalenaError> {
        let id = self.enrol(device).await?;
        let name = json!({ "device_name": device.name });
        let path = odata::device(&device.uuid);
        self.http.send(Method::PATCH, &path, &self.token, Some(&name)).await?;
        Ok(id)
    }

    async fn enrol(&self, device: &Registration) -> Result<u64, BalenaError> {
        let provisioning_key = self.provisioning_key(device.fleet).await?;
        let key = provisioning_key.as_ref().unwrap_or(&self.token);
        let body = json!({
            "application": device.fleet,
            "device_type": device.device_type,
            "uuid": device.uuid.0,
            "api_key": device.device_key,
        });
        let path = "/device/register";
        let failure = match self.http.send(Method::POST, path, key, Some(&body)).await {
            Ok(answer) if answer.status == StatusCode::CREATED => {
                return Ok(answer.json::<Registered>()?.id);
            }
            Ok(answer) => {
                let message = format!("POST {path} is not done but {}", answer.status);
                return Err(BalenaError::Garbled(message));
            }
            Err(failure) => failure,
        };
        match &failure {
            Failure::Lost(_) => match self.own_device(device).await {
                Ok(Some(id)) => Ok(id),
                // Nothing is known but that the answer was lost.
                Ok(None) | Err(_) => Err(failure.into()),
            },
            Failure::Status { status: StatusCode::CONFLICT, message, .. } => {
                match self.own_device(device).await? {
                    Some(id) => Ok(id),
                    None => Err(BalenaError::Refused(format!(
                        "{message} (somebody else has uuid {} or its key)",
                        device.uuid
                    ))),
                }
            }
            Failure::Status { status: StatusCode::UNAUTHORIZED, message, .. }
                if provisioning_key.is_some() =>
            {
                Err(BalenaError::Token(format!(
                    "{message} (the key was made a moment ago; is this computer's clock right?)"
                )))
            }
            Failure::Status { .. } | Failure::Unreached(_) | Failure::Garbled(_) => {
                Err(failure.into())
            }
        }
    }

    /// A key that can only register devices in this fleet and soon expires; `None` if the server does not
    /// give one out, in which case the operator's own token has to do.
    async fn provisioning_key(&self, fleet: u64) -> Result<Option<Token>, BalenaError> {
        let until = self.clock.now().as_second() + KEY_LIFE_SECONDS;
        let until = Timestamp::from_second(until)
            .map_err(|error| BalenaError::Refused(format!("this computer's clock: {error}")))?;
        let body = json!({
            "actorType": "application",
            "actorTypeId": fleet,
            "roles": ["provisioning-api-key"],
            "expiryDate": until.to_string(),
            "description": "made by migos-fleet to register one device",
        });
        let answer = self.http.send(Method::POST, "/api-key/v2", &self.token, Some(&body)).await;
        let key: String = match answer {
            Ok(answer) => answer.json()?,
            Err(failure) => match BalenaError::from(failure) {
                BalenaError::Token(reason) | BalenaError::Refused(reason) => {
                    tracing::debug!(reason, "no provisioning key; the operator's token is used");
                    return Ok(None);
                }
                away @ (BalenaError::Away { .. } | BalenaError::Garbled(_)) => return Err(away),
            },
        };
        match Token::new(&key) {
            Ok(token) => Ok(Some(token)),
            Err(error) => Err(BalenaError::Garbled(format!("POST /api-key/v2: {error}"))),
        }
    }

    /// The id of the device if it is there and has our key; `None` if it is not or has not.
    async fn own_device(&self, device: &Registration) -> Result<Option<u64>, BalenaError> {
        let Ok(key) = Token::new(&device.device_key) else { return Ok(None) };
        match self.http.list::<Registered>(&odata::device_id(&device.uuid), &key).await {
            Ok(devices) => Ok(devices.first().map(|device| device.id)),
            // Nobody has this key.
            Err(failure) if failure.status() == Some(StatusCode::UNAUTHORIZED) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }
}

//! Versions and downloads of images, against the lab's balena API.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "files for tests")]

use migos_balena::{Authority, Images, ImagesError, Timeouts, Token, Wanted};
use migos_lab::balena_api::{ApiConfig, BalenaApi, Fault, OsImage, OsState};
use std::path::Path;
use std::time::Duration;

const TOKEN: &str = "hWY2Q8QfgrQRobZodrn7iX5mbzhIr5KT";
const VERSION: &str = "6.0.24+rev1";

/// What is downloaded; no two places of it are alike.
fn file() -> Vec<u8> {
    (0_u32..20_000).flat_map(u32::to_le_bytes).collect()
}

async fn api(folder: &Path, token: &str, sent_on_to: Option<String>) -> BalenaApi {
    let path = folder.join("image.gz");
    std::fs::write(&path, file()).unwrap();
    let image = |version: &str, state, esr| OsImage {
        device_type: "raspberrypi3".to_owned(),
        architecture: "armv7hf".to_owned(),
        version: version.to_owned(),
        variant: String::new(),
        state,
        esr,
        file: path.clone(),
    };
    let images = vec![
        image("6.0.24", OsState::Final, false),
        image(VERSION, OsState::Final, false),
        image("6.1.0", OsState::Draft, false),
        image("6.0.30", OsState::Invalidated, false),
        image("2024.1.0", OsState::Final, true),
    ];
    let config =
        ApiConfig { images, download_host: sent_on_to, ..ApiConfig::new(token, Vec::new()) };
    BalenaApi::start("127.0.0.1:0".parse().unwrap(), config).await.unwrap()
}

fn images(api: &str, token: Option<&str>) -> Images {
    let token = token.map(|token| Token::new(token).unwrap());
    let images = Images::new(api, Authority::Public, token, "0.1.0", Timeouts::default()).unwrap();
    images.waiting(Duration::from_millis(1))
}

async fn downloaded(images: &Images) -> Result<Vec<u8>, ImagesError> {
    let mut download = images.download("raspberrypi3", VERSION).await?;
    assert_eq!(download.total(), Some(file().len() as u64));
    let mut all = Vec::new();
    while let Some(piece) = download.next().await? {
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

#[tokio::test]
async fn what_is_offered_is_finished_and_public() {
    let folder = tempfile::tempdir().unwrap();
    let api = api(folder.path(), TOKEN, None).await;
    for token in [None, Some(TOKEN)] {
        let versions = images(&api.url(), token).versions("raspberrypi3").await.unwrap();
        let mut raw: Vec<&str> = versions.iter().map(|version| version.raw.as_str()).collect();
        raw.sort_unstable();
        assert_eq!(raw, ["2024.1.0", "6.0.24", VERSION]);
        assert_eq!(Wanted::Latest.choose(&versions).unwrap().raw, VERSION);
    }
    assert_eq!(images(&api.url(), None).versions("raspberrypi9").await, Ok(Vec::new()));
    let refused = images(&api.url(), Some("wrong")).versions("raspberrypi3").await;
    assert!(matches!(refused, Err(ImagesError::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let api = api(folder.path(), TOKEN, None).await;
    assert!(downloaded(&images(&api.url(), None)).await.unwrap() == file());
    api.set_fault(Fault::CutDownloads { after: 7_000, ranges: true });
    assert!(downloaded(&images(&api.url(), None)).await.unwrap() == file());
}

#[tokio::test]
async fn a_download_that_never_gets_further_ends_with_how_far_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let api = api(folder.path(), TOKEN, None).await;
    // A server without ranges begins anew each time.
    api.set_fault(Fault::CutDownloads { after: 7_000, ranges: false });
    let error = downloaded(&images(&api.url(), None)).await.unwrap_err();
    assert!(matches!(error, ImagesError::BrokenOff { got: 7_000, .. }), "{error}");
}

#[tokio::test]
async fn what_came_before_is_passed_over_where_a_server_has_no_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let api = api(folder.path(), TOKEN, None).await;
    let images = images(&api.url(), None);
    api.set_fault(Fault::CutDownloads { after: 7_000, ranges: false });
    let mut download = images.download("raspberrypi3", VERSION).await.unwrap();
    let mut all = download.next().await.unwrap().unwrap().to_vec();
    // From here on the whole file comes, from its start.
    api.set_fault(Fault::CutDownloads { after: usize::MAX, ranges: false });
    while let Some(piece) = download.next().await.unwrap() {
        all.extend_from_slice(&piece);
    }
    assert!(all == file());
}

#[tokio::test]
async fn a_download_is_sent_on_without_the_token() {
    let folder = tempfile::tempdir().unwrap();
    // It would refuse this token with 401, as storage services do.
    let storage = api(folder.path(), "another", None).await;
    let api = self::api(folder.path(), TOKEN, Some(storage.url())).await;
    assert!(downloaded(&images(&api.url(), Some(TOKEN))).await.unwrap() == file());
}

#[tokio::test]
async fn a_download_is_sent_on_to_https_only() {
    let folder = tempfile::tempdir().unwrap();
    for (to, shown) in
        [("http://192.0.2.1:80", "http://192.0.2.1"), ("ftp://127.0.0.1", "ftp://127.0.0.1")]
    {
        let api = api(folder.path(), TOKEN, Some(to.to_owned())).await;
        let error = downloaded(&images(&api.url(), None)).await.unwrap_err();
        assert_eq!(error, ImagesError::Astray(shown.to_owned()));
    }
}

#[tokio::test]
async fn an_api_without_images_is_named() {
    let config = ApiConfig::new(TOKEN, Vec::new());
    let api = BalenaApi::start("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
    let error = downloaded(&images(&api.url(), None)).await.unwrap_err();
    let words = error.to_string().replace(&api.addr().to_string(), "HOST");
    insta::assert_snapshot!(words, @"HOST gives out no image of 6.0.24+rev1 for raspberrypi3");
    api.set_fault(Fault::RateLimited { seconds: 7 });
    let error = downloaded(&images(&api.url(), None)).await.unwrap_err();
    assert!(matches!(error, ImagesError::Away(_)), "{error}");
}

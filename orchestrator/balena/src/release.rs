//! How large a fleet's app is: told to the person who plans, and nothing else depends on it.

use crate::odata;
use crate::setup::Balena;
use migos_inventory::FleetSlug;
use migos_payload::size::ByteCount;
use serde::Deserialize;
use serde_json::Value;

impl Balena {
    /// What the images of the fleet's target release take, unpacked and together. `None` if the fleet has no release, if
    /// the size of any image is not known, or if the server does not answer that question.
    pub(crate) async fn app(&self, slug: &FleetSlug) -> Option<ByteCount> {
        let asked = self.http.list::<SeenFleet>(&odata::release(slug), &self.token).await;
        let fleets = asked.inspect_err(|failure| {
            tracing::debug!(fleet = slug.as_str(), ?failure, "the size of its app is not told");
        });
        fleets.ok()?.into_iter().next()?.size()
    }
}

/// A fleet with its target release; expanded links are lists, even where there can be only one.
#[derive(Deserialize)]
struct SeenFleet {
    #[serde(rename = "should_be_running__release")]
    releases: Vec<SeenRelease>,
}

#[derive(Deserialize)]
struct SeenRelease {
    #[serde(rename = "release_image")]
    images: Vec<SeenReleaseImage>,
}

#[derive(Deserialize)]
struct SeenReleaseImage {
    image: Vec<SeenImage>,
}

#[derive(Deserialize)]
struct SeenImage {
    #[serde(default)]
    image_size: Value,
}

impl SeenImage {
    /// The database keeps it as a big integer, which the API may write as a number or as text.
    fn size(&self) -> Option<u64> {
        self.image_size.as_u64().or_else(|| self.image_size.as_str()?.parse().ok())
    }
}

impl SeenFleet {
    fn size(&self) -> Option<ByteCount> {
        let images = &self.releases.first()?.images;
        let sizes = images.iter().flat_map(|part| &part.image).map(SeenImage::size);
        sizes
            .collect::<Option<Vec<u64>>>()?
            .into_iter()
            .try_fold(0, u64::checked_add)
            .map(ByteCount)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn size(releases: &str) -> Option<u64> {
        let text = format!(r#"{{"id":1,"should_be_running__release":{releases}}}"#);
        serde_json::from_str::<SeenFleet>(&text).unwrap().size().map(|size| size.0)
    }

    fn of(images: &str) -> Option<u64> {
        size(&format!(r#"[{{"id":7,"release_image":[{images}]}}]"#))
    }

    #[test]
    fn the_images_of_a_release_are_added_up_however_their_sizes_are_written() {
        let two = r#"{"id":1,"image":[{"image_size":"300"}]},{"id":2,"image":[{"image_size":40}]}"#;
        assert_eq!(of(two), Some(340));
    }

    #[test]
    fn a_size_that_is_not_known_is_no_size() {
        assert_eq!(size("[]"), None, "no release");
        assert_eq!(of(r#"{"id":1,"image":[{"image_size":null}]}"#), None);
        assert_eq!(of(r#"{"id":1,"image":[{"image_size":7}]},{"id":2,"image":[{}]}"#), None);
        assert_eq!(of(r#"{"id":1,"image":[{"image_size":"many"}]}"#), None);
    }
}

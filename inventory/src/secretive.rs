//! Names under which people keep secrets.

/// What such names have in them.
const PARTS: [&str; 9] =
    ["password", "passwd", "passphrase", "_pass", "secret", "token", "psk", "api_key", "apikey"];

/// Whether a value of this name is likely a secret.
pub(crate) fn is_secretive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::is_secretive;

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in ["ansible_ssh_pass", "DB_PASSWORD", "api_token", "wifi_psk"] {
            assert!(is_secretive(name), "{name}");
        }
        for name in ["passage", "site", "by_pas"] {
            assert!(!is_secretive(name), "{name}");
        }
    }
}

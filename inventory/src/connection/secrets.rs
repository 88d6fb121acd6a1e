//! Passwords that stand in an inventory.

use std::collections::BTreeMap;
use std::fmt;

use crate::name::DeviceId;

/// What a password is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretUse {
    /// The SSH server of the device.
    Login,
    /// Sudo on the device.
    Sudo,
}

/// The passwords of devices, as an inventory has them. They are shown nowhere, and cannot be serialised.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<(DeviceId, SecretUse), String>);

impl Secrets {
    /// Takes in the password of a device.
    pub fn insert(&mut self, device: DeviceId, what_for: SecretUse, password: String) {
        self.0.insert((device, what_for), password);
    }

    /// The password of a device.
    pub fn get(&self, device: &DeviceId, what_for: SecretUse) -> Option<&str> {
        self.0.get(&(device.clone(), what_for)).map(String::as_str)
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn secrets_are_kept_and_not_shown() {
        let mut secrets = Secrets::default();
        let pi = DeviceId::new("pi-1").unwrap();
        secrets.insert(pi.clone(), SecretUse::Login, "hunter2".to_owned());
        assert_eq!(secrets.get(&pi, SecretUse::Login), Some("hunter2"));
        assert_eq!(secrets.get(&pi, SecretUse::Sudo), None);
        assert_eq!(format!("{secrets:?}"), "1 secrets");
    }
}

//! What balena's supervisor makes of configuration variables: a `config.txt`, if it gets the same out of it again.
//!
//! Written from what the supervisor does since v16, and by none of the code that decides which variables a device gets:
//! it is that code's referee.

use std::collections::BTreeMap;

/// The beginnings of the names that are lines of `config.txt`, the one that counts first.
const PREFIXES: [&str; 2] = ["BALENA_HOST_CONFIG_", "RESIN_HOST_CONFIG_"];

/// Keys that hold several values.
const LISTS: [&str; 5] =
    ["dtparam", "dtoverlay", "device_tree_param", "device_tree_overlay", "gpio"];

/// Keys that it does not let anybody change.
const REFUSED: [&str; 11] = [
    "disable_commandline_tags",
    "cmdline",
    "kernel",
    "kernel_address",
    "kernel_old",
    "ramfsfile",
    "ramfsaddr",
    "initramfs",
    "device_tree_address",
    "init_emmc_clock",
    "avoid_safe_mode",
];

/// Parameters that it takes for the board's wherever they stand.
const OF_THE_BOARD: [&str; 8] = [
    "audio",
    "spi",
    "i2c",
    "i2c_arm",
    "i2c_vc",
    "i2c_baudrate",
    "i2c_arm_baudrate",
    "i2c_vc_baudrate",
];

/// Values by key.
type Config = BTreeMap<String, Vec<String>>;

/// Why a device with such variables would be no good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigTxtError {
    /// It reports an error at every poll, and sets nothing.
    #[error("the supervisor does not let anybody change {0}")]
    Refused(String),
    /// It cannot read the value.
    #[error("{0} is no list of quoted values")]
    NoList(String),
    /// What it reads is not what it wrote, so it writes again, with a reboot each time.
    #[error("the device would reboot for ever: it reads {read:?} where it was told {told:?}")]
    Endless {
        /// What it was told.
        told: BTreeMap<String, Vec<String>>,
        /// What it reads.
        read: BTreeMap<String, Vec<String>>,
    },
}

/// The `config.txt` that the supervisor writes for these variables; other variables are passed over.
///
/// # Errors
/// [`ConfigTxtError`].
pub fn config_txt(variables: &BTreeMap<String, String>) -> Result<String, ConfigTxtError> {
    let mut config = Config::new();
    for prefix in PREFIXES {
        for (name, value) in variables {
            if let Some(key) = name.strip_prefix(prefix)
                && !config.contains_key(key)
            {
                config.insert(key.to_owned(), values(key, value)?);
            }
        }
    }
    if let Some(key) = config.keys().find(|key| REFUSED.contains(&key.as_str())) {
        return Err(ConfigTxtError::Refused(key.clone()));
    }
    let text = written(&config);
    let read = read(&text);
    match read == config {
        true => Ok(text),
        false => Err(ConfigTxtError::Endless { told: config, read }),
    }
}

fn values(key: &str, value: &str) -> Result<Vec<String>, ConfigTxtError> {
    match LISTS.contains(&key) && value.starts_with('"') {
        true => serde_json::from_str(&format!("[{value}]"))
            .map_err(|_| ConfigTxtError::NoList(key.to_owned())),
        false => Ok(vec![value.to_owned()]),
    }
}

/// Overlays come last, with a line for each parameter.
fn written(config: &Config) -> String {
    let mut text = String::new();
    for (key, values) in config.iter().filter(|(key, _)| *key != "dtoverlay") {
        values.iter().for_each(|value| text += &format!("{key}={value}\n"));
    }
    for overlay in config.get("dtoverlay").into_iter().flatten() {
        let mut parts = overlay.split(',');
        text += &format!("dtoverlay={}\n", parts.next().unwrap_or_default());
        parts.for_each(|parameter| text += &format!("dtparam={parameter}\n"));
    }
    text
}

fn read(text: &str) -> Config {
    let mut config = Config::new();
    let mut of_the_board: Vec<String> = Vec::new();
    let mut overlays: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let Some((key, value)) = line.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            continue;
        };
        match key {
            "dtparam" => {
                for parameter in value.split(',') {
                    let name = parameter.split('=').next().unwrap_or_default();
                    let open = overlays.last_mut().filter(|_| !OF_THE_BOARD.contains(&name));
                    // The whole line, as often as it has parameters: it is made for lines with one.
                    open.map_or(&mut of_the_board, |(_, own)| own).push(value.to_owned());
                }
            }
            "dtoverlay" => {
                let mut parts = value.split(',').map(str::to_owned);
                overlays.push((parts.next().unwrap_or_default(), parts.collect()));
            }
            list if LISTS.contains(&list) => {
                config.entry(list.to_owned()).or_default().push(value.to_owned());
            }
            single => _ = config.insert(single.to_owned(), vec![value.to_owned()]),
        }
    }
    for (overlay, parameters) in overlays {
        match overlay.as_str() {
            "" => of_the_board.extend(parameters),
            _ => {
                let whole = [vec![overlay], parameters].concat().join(",");
                config.entry("dtoverlay".to_owned()).or_default().push(whole);
            }
        }
    }
    if !of_the_board.is_empty() {
        config.insert("dtparam".to_owned(), of_the_board);
    }
    config
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn made(variables: &[(&str, &str)]) -> Result<String, ConfigTxtError> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        config_txt(&variables.iter().map(owned).collect())
    }

    #[test]
    fn variables_become_lines_and_lists_become_several() {
        let text = made(&[
            ("BALENA_HOST_CONFIG_dtoverlay", "\"i2c-rtc,ds3231\",\"vc4-kms-v3d\""),
            ("BALENA_HOST_CONFIG_dtparam", "\"i2c_arm=on\",\"act_led_trigger=none\""),
            ("BALENA_HOST_CONFIG_gpu_mem", "64"),
            ("RESIN_HOST_CONFIG_gpu_mem", "16"),
            ("RESIN_HOST_CONFIG_disable_splash", "1"),
            ("RESIN_SUPERVISOR_DELTA", "1"),
        ]);
        insta::assert_snapshot!(text.unwrap(), @r"
        disable_splash=1
        dtparam=i2c_arm=on
        dtparam=act_led_trigger=none
        gpu_mem=64
        dtoverlay=i2c-rtc
        dtparam=ds3231
        dtoverlay=vc4-kms-v3d
        ");
    }

    #[test]
    fn what_would_reboot_a_device_for_ever_is_told() {
        let endless = [
            ("BALENA_HOST_CONFIG_dtparam", "i2c_arm=on,spi=on"),
            ("BALENA_HOST_CONFIG_dtoverlay", "\"vc4-kms-v3d,audio=off\""),
            ("BALENA_HOST_CONFIG_dtoverlay", "\"\""),
        ];
        for variable in endless {
            let error = made(&[variable]).unwrap_err();
            assert!(matches!(error, ConfigTxtError::Endless { .. }), "{error}");
        }
        let error = made(&[("BALENA_HOST_CONFIG_kernel", "a.img")]).unwrap_err();
        assert_eq!(error, ConfigTxtError::Refused("kernel".to_owned()));
        let error = made(&[("BALENA_HOST_CONFIG_gpio", "\"17=op")]).unwrap_err();
        assert_eq!(error, ConfigTxtError::NoList("gpio".to_owned()));
    }
}

//! `wpa_supplicant`'s own reader: whether MIGOS's networks are read at all.

use super::corpus::cases;
use migos_payload::network::translate;
use std::io::Write;
use std::process::Command;

#[test]
fn wpa_supplicant_reads_what_migos_is_given() {
    let mut count = 0;
    for (name, found) in cases() {
        let Ok(networks) = translate(&found) else { continue };
        let Some(text) = networks.wifi else { continue };
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        // It reads the file first, and ends since there is no such interface.
        let out = Command::new("wpa_supplicant")
            .args(["-D", "nl80211", "-i", "nowhere0", "-dd", "-c"])
            .arg(file.path())
            .output()
            .expect("wpa_supplicant is there: apt-get install wpasupplicant");
        let said = String::from_utf8_lossy(&out.stdout);
        let wrong: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("failed to parse") || line.contains("Failed to read"))
            .collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}\n{text}");
        let networks = text.matches("network={").count();
        assert_eq!(
            said.matches("start of a new network block").count(),
            networks,
            "{name}: {said}"
        );
        count += 1;
    }
    assert!(count > 20, "{count} files");
}

//! Both pages in a real browser: every device is on them, nothing is cut, and they can be printed.
//!
//! `UPDATE_PICTURES=1` makes the README's pictures of them anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "invariants/secrets.rs"]
mod secrets;

use migos_lab::Pace;
use migos_tests::fleet::Bench;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pictures");

const FAULTS: &str = "\
kiosk-003: [no-space]
kiosk-005: [under-voltage]
kiosk-008: [unreachable]
kiosk-010: [{ cut-upload: 300000 }]
";

/// Tells in the page's title what is wider than the page or than its own box, but for what scrolls by itself.
const RULER: &str = "<script>
const root = document.documentElement;
const cut = [...document.querySelectorAll('body *')].filter(it =>
    !it.closest('.scroll, pre, svg') && it.scrollWidth > it.clientWidth + 1 && it.clientWidth > 0);
document.title = 'page ' + root.scrollWidth + ' of ' + root.clientWidth + '; cut '
    + cut.map(it => it.tagName + ': ' + it.textContent.slice(0, 40)).join(' | ') + ';';
</script>";

fn browser(args: &[&str], page: &Path) -> Vec<u8> {
    let run = Command::new("chromium-headless-shell")
        .args(["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb"])
        .args(args)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("chromium-headless-shell is there; `make packages` installs it");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    run.stdout
}

/// The page as the browser has read it.
fn read(page: &Path, width: u32) -> String {
    let size = format!("--window-size={width},900");
    String::from_utf8(browser(&["--dump-dom", &size], page)).unwrap()
}

/// What is too wide at this width, nothing if all is well.
fn too_wide(page: &Path, width: u32) -> Option<String> {
    let text = fs::read_to_string(page).unwrap();
    let (head, body) = text.split_once("<title>").unwrap();
    let head = head.replace("Content-Security-Policy", "X-None");
    let body = body.replace("</body>", &format!("{RULER}</body>"));
    let mut measured = tempfile::Builder::new().suffix(".html").tempfile().unwrap();
    write!(measured, "{head}<title>{body}").unwrap();
    let text = read(measured.path(), width);
    let (_, title) = text.split_once("<title>page ").unwrap();
    let (title, _) = title.split_once(";</title>").unwrap();
    (title != format!("{width} of {width}; cut ")).then(|| title.to_owned())
}

/// What is on the pages when they are printed.
fn printed(page: &Path) -> String {
    let pdf = page.with_extension("pdf");
    browser(&[&format!("--print-to-pdf={}", pdf.display())], page);
    let text = Command::new("pdftotext").arg(&pdf).arg("-").output();
    let text = String::from_utf8(text.expect("`make packages` installs poppler-utils").stdout);
    // A narrow column breaks names.
    text.unwrap().split_whitespace().collect()
}

#[expect(clippy::disallowed_methods, reason = "the way to make the pictures anew")]
fn take_picture(page: &Path, name: &str) {
    if std::env::var("UPDATE_PICTURES").is_ok() {
        fs::create_dir_all(PICTURES).unwrap();
        let file = format!("--screenshot={PICTURES}/{name}.png");
        browser(&[&file, "--window-size=1000,1000"], page);
    }
}

#[test]
fn both_pages_show_every_device_and_cut_nothing() {
    let bench = Bench::start(16, FAULTS, Pace::lab()).unwrap();
    let home = &bench.home;
    let planned = home.run(&["plan", "lab/inventory.yaml", "--html", "plan.html"]).unwrap();
    assert_eq!(planned.code, Some(0), "{}", planned.stderr);
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    assert!(ended.stderr.contains("the report is in runs/"), "{}", ended.stderr);
    let report = ["report", "--format", "html", "-o", "run.html"];
    assert_eq!(home.run(&report).unwrap().code, Some(0));

    let names: Vec<String> = (1..=16).map(|number| format!("kiosk-{number:03}")).collect();
    let secrets = secrets::all_of(&bench, &home.only_run().unwrap());
    for page in ["plan.html", "run.html"] {
        let page = home.path().join(page);
        let told = secrets::told_in(&secrets, &fs::read(&page).unwrap());
        assert_eq!(told, [""; 0], "secrets in {}", page.display());
        for width in [360, 820, 1280] {
            assert_eq!(too_wide(&page, width), None, "{} at {width} px", page.display());
        }
        let (dom, paper) = (read(&page, 1280), printed(&page));
        if page.ends_with("plan.html") {
            assert!(paper.contains("os_prefix=migos/"), "what is folded is printed, too");
        }
        for name in &names {
            let is_planned = !["kiosk-003", "kiosk-005", "kiosk-008"].contains(&name.as_str());
            if is_planned {
                assert!(
                    dom.contains(&format!(">{name}</text>")),
                    "{name} has a row in the picture"
                );
            }
            if is_planned || page.ends_with("plan.html") {
                assert!(paper.contains(name), "{name} is printed from {}", page.display());
            }
        }
    }
    take_picture(&home.path().join("plan.html"), "plan");
    take_picture(&home.path().join("run.html"), "run");
}

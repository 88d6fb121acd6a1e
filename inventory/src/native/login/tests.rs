#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::yaml::load;

#[test]
fn a_host_is_a_name_or_an_address() {
    for good in ["pi_1", "kiosk-042.example.org", "10.1.4.42", "2001:db8::1", "fe80::1%eth0"] {
        assert_eq!(host(good).unwrap(), good);
    }
    for bad in ["-oProxyCommand=x", "pi@10.0.0.1", "10.0.0.1:22", "[::1]", "a b", "a/b", "a%b"] {
        assert!(host(bad).is_err(), "{bad}");
    }
}

#[test]
fn one_address_has_one_spelling() {
    assert_eq!(address("Pi.Example.ORG.", 22), address("pi.example.org", 22));
    assert_eq!(address("2001:DB8:0::1", 22), address("2001:db8::1", 22));
    assert_ne!(address("pi", 22), address("pi", 2222));
}

#[test]
fn a_secret_in_the_inventory_is_refused_and_never_repeated() {
    let told = [
        "hunter2",
        "271828",
        "[hunter2]",
        "{ hunter2 }",
        "{ env: hunter-2 }",
        "{ env: [hunter2] }",
        "{ file: \"hunter2\\n\" }",
        "{ env: A, file: hunter2 }",
        "",
    ]
    .map(|text| {
        let mut report = Report::new("t");
        let root = load(text, &mut report).unwrap();
        assert_eq!(secret(&Field::root(&root, "token"), "TOKEN", &mut report), None);
        report.into_problems().to_string()
    })
    .join("\n");
    assert!(!told.contains("hunter") && !told.contains("271828"), "{told}");
    insta::assert_snapshot!(told, @r"
    t:1:1: token: a secret cannot stand in the inventory; say where it is found
      hint: write { env: TOKEN } or { file: path/of/a/file }
    t:1:1: token: a secret cannot stand in the inventory; say where it is found
      hint: write { env: TOKEN } or { file: path/of/a/file }
    t:1:1: token: expected where the secret is found
      hint: write { env: TOKEN } or { file: path/of/a/file }
    t:1:1: token: expected where the secret is found
      hint: write { env: TOKEN } or { file: path/of/a/file }
    t:1:8: token.env: this is not the name of an environment variable
      hint: write { env: TOKEN } or { file: path/of/a/file }
    t:1:8: token.env: this is not the name of an environment variable
      hint: write { env: TOKEN } or { file: path/of/a/file }
    t:1:9: token.file: this is not the path of a file
      hint: write { env: TOKEN } or { file: path/of/a/file }
    t:1:1: token: expected where the secret is found
      hint: write { env: TOKEN } or { file: path/of/a/file }
    t:1:1: token: expected where the secret is found
      hint: write { env: TOKEN } or { file: path/of/a/file }
    ");
}

#[test]
fn a_secret_is_named_by_where_it_is_found() {
    let mut report = Report::new("t");
    let root = load("{ env: BALENA_TOKEN }", &mut report).unwrap();
    let source = secret(&Field::root(&root, "token"), "TOKEN", &mut report);
    assert_eq!(source, Some(SecretSource::Env("BALENA_TOKEN".to_owned())));
    assert!(report.is_clean());
}

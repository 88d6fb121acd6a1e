//! Variables of devices.

use super::*;

#[tokio::test]
async fn variables_are_set_where_they_differ_and_others_are_left_alone() {
    let world = World::new().await;
    let balena = world.balena();
    let id = balena.register(&kiosk()).await.unwrap();
    let other = json!({ "device": id, "name": "RESIN_SUPERVISOR_DELTA", "value": "1" });
    let (status, _) = world.raw("POST", "/v7/device_config_variable", TOKEN, Some(other)).await;
    assert_eq!(status, 201);

    let overlays = "\"i2c-rtc,ds3231\",\"it's & ü\"";
    let rotated = |rotation| {
        variables(&[
            ("BALENA_HOST_CONFIG_display_rotate", rotation),
            ("BALENA_HOST_CONFIG_dtoverlay", overlays),
        ])
    };
    let rows = async || {
        let path = format!("/v7/device_config_variable?$filter=device eq {id}&$select=id,name");
        world.raw("GET", &path, TOKEN, None).await.1
    };
    balena.set_values(id, Table::Config, &rotated("1")).await.unwrap();
    let before = rows().await;
    balena.set_values(id, Table::Config, &rotated("1")).await.unwrap();
    assert_eq!(rows().await, before, "nothing is written twice");
    balena.set_values(id, Table::Config, &rotated("3")).await.unwrap();
    assert_ne!(rows().await, before);

    let mut expected = rotated("3");
    expected.insert("RESIN_SUPERVISOR_DELTA".to_owned(), "1".to_owned());
    assert_eq!(world.api.devices()[0].variables, expected);
    let Reported::Seen { config, .. } = world.device_reports().await else { panic!() };
    assert_eq!(config, expected);
}

#[tokio::test]
async fn a_variable_that_balena_does_not_take_is_an_error_and_none_needs_no_request() {
    let world = World::new().await;
    let id = world.balena().register(&kiosk()).await.unwrap();
    let wrong = variables(&[("BALENA_HOST_CONFIG_hdmi_mode:1", "4")]);
    let error = world.balena().set_values(id, Table::Config, &wrong).await.unwrap_err();
    insta::assert_snapshot!(world.words(&error), @"balena refused the request: HOST answered 400 Bad Request to PUT /v7/device_config_variable(device=1,name='BALENA_HOST_CONFIG_hdmi_mode%3A1'): Configuration variable names can only contain alphanumeric characters and underscores.");
    world.api.set_fault(Fault::Away);
    assert_eq!(world.balena().set_values(id, Table::Config, &BTreeMap::new()).await, Ok(()));
    let right = variables(&[("BALENA_HOST_CONFIG_hdmi_mode", "4")]);
    let error = world.balena().set_values(id, Table::Config, &right).await.unwrap_err();
    assert!(matches!(error, BalenaError::Away { .. }), "{error}");
}

#[tokio::test]
async fn variables_go_with_their_device() {
    let world = World::new().await;
    let balena = world.balena();
    let first = balena.register(&kiosk()).await.unwrap();
    let some = variables(&[("BALENA_HOST_CONFIG_gpu_mem", "64")]);
    balena.set_values(first, Table::Config, &some).await.unwrap();
    assert!(balena.withdraw(&uuid()).await.unwrap());
    let again = balena.register(&kiosk()).await.unwrap();
    assert_ne!(first, again);
    assert!(world.api.devices()[0].variables.is_empty());
    let error = balena.set_values(first, Table::Config, &some).await.unwrap_err();
    assert!(matches!(error, BalenaError::Token(_)), "{error}");
}

#[tokio::test]
async fn the_emulator_checks_variables_like_a_real_api() {
    let world = World::new().await;
    let id = world.balena().register(&kiosk()).await.unwrap();
    let post = async |name: &str, value: &str| {
        let body = json!({ "device": id, "name": name, "value": value });
        world.raw("POST", "/v7/device_config_variable", TOKEN, Some(body)).await
    };
    assert_eq!(post("RESIN_HOST_CONFIG_gpu_mem", "16").await.0, 201);
    let taken = "\"\\\"device\\\" and \\\"name\\\" must be unique.\"".to_owned();
    assert_eq!(post("RESIN_HOST_CONFIG_gpu_mem", "32").await, (409, taken));
    assert_eq!(post("HOST_CONFIG_gpu_mem", "16").await.0, 400);
    assert_eq!(post("BALENA_HOST_CONFIG_hdmi_mode:1", "16").await.0, 400);
    assert_eq!(post("BALENA_HOST_CONFIG_gpu_mem", "1\n2").await.0, 400);
    let put = "/v7/device_config_variable(device=1,name='FOO')";
    assert_eq!(world.raw("PUT", put, TOKEN, Some(json!({ "value": "1" }))).await.0, 400);
    let read = "/v7/device_config_variable?$filter=device eq 1&$select=name,colour";
    assert_eq!(world.raw("GET", read, TOKEN, None).await, (500, String::new()));
}

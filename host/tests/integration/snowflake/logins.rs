//! What a login sends, for each kind of identity.

use std::fs;

use serde_json::{Value, json};
use snowcat_host::snowflake::{ErrorKind, Session};

use super::service::{Does, LOGIN, Service};

#[test]
fn each_identity_has_its_fields() {
    let service = Service::new(&[]);
    let check = |parameters: &[(&str, &str)], expected: Value| {
        Session::open(&service.connection_of(parameters)).unwrap().close().unwrap();
        let login = service.sent(LOGIN).pop().unwrap();
        let names = ["LOGIN_NAME", "PASSWORD", "AUTHENTICATOR", "PASSCODE", "TOKEN"];
        let sent = names.into_iter().map(|name| (name, &login.body["data"][name]));
        let sent = sent.filter(|(_, value)| !value.is_null()).collect::<Vec<_>>();
        let sent = Value::from_iter(sent.into_iter().map(|(name, value)| (name, value.clone())));
        assert_eq!(sent, expected, "{parameters:?}");
    };
    let user = ("user", "loader");
    check(&[user, ("password", "p")], json!({"LOGIN_NAME": "loader", "PASSWORD": "p"}));
    check(
        &[user, ("password", "p"), ("passcode", "123456")],
        json!({"LOGIN_NAME": "loader", "PASSWORD": "p", "AUTHENTICATOR": "USERNAME_PASSWORD_MFA",
            "PASSCODE": "123456"}),
    );
    check(
        &[("authenticator", "OAuth"), ("token", "t\n")],
        json!({"AUTHENTICATOR": "OAUTH", "TOKEN": "t"}),
    );
    check(
        &[user, ("authenticator", "programmatic_access_token"), ("token", "t")],
        json!({"LOGIN_NAME": "loader", "AUTHENTICATOR": "PROGRAMMATIC_ACCESS_TOKEN", "TOKEN": "t"}),
    );
}

#[test]
fn each_attempt_has_a_fresh_token_of_the_key() {
    let again = Does::Says(503, Value::Null);
    let ok = Does::gives(json!({"token": "t1", "masterToken": "m1"}));
    let service = Service::new(&[(LOGIN, &[again, ok])]);
    let key = include_str!("keys/des3.pem");
    let parameters =
        [("user", "loader"), ("private_key_raw", key), ("private_key_file_pwd", "hunter2")];
    // A token has a time of whole seconds.
    let connection = service.connection_of(&parameters);
    let connection =
        connection.sleeping(|_| std::thread::sleep(std::time::Duration::from_millis(1100)));
    drop(Session::open(&connection).unwrap());
    let logins = service.sent(LOGIN);
    let tokens: Vec<_> =
        logins.iter().map(|it| it.body["data"]["TOKEN"].as_str().unwrap().to_owned()).collect();
    assert_eq!(logins[0].body["data"]["AUTHENTICATOR"], "SNOWFLAKE_JWT");
    assert!(tokens.len() == 2 && tokens[0] != tokens[1], "{tokens:?}");
}

#[test]
fn a_token_that_is_rejected_is_read_from_its_file_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let write = |token: &str| {
        fs::write(&file, token).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    write("old");
    let path = file.display().to_string();
    let parameters = [("authenticator", "oauth"), ("token_file_path", path.as_str())];
    for code in ["390303", "390318"] {
        let ok = Does::gives(json!({"token": "t1", "masterToken": "m1"}));
        let service = Service::new(&[(LOGIN, &[Does::fails(code), ok])]);
        drop(Session::open(&service.connection_of(&parameters)).unwrap());
        assert_eq!(service.sent(LOGIN).len(), 2, "{code}");
    }
    let service = Service::new(&[(LOGIN, &[Does::fails("390318")])]);
    let error = Session::open(&service.connection_of(&parameters)).unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), service.sent(LOGIN).len()),
        (ErrorKind::Login, "390318", 2)
    );
    // A token that is given does not change.
    let given = [("authenticator", "oauth"), ("token", "t")];
    let service = Service::new(&[(LOGIN, &[Does::fails("390318")])]);
    Session::open(&service.connection_of(&given)).unwrap_err();
    assert_eq!(service.sent(LOGIN).len(), 1);
}

#[test]
fn a_container_logs_in_with_both_of_its_tokens_and_no_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "t\n").unwrap();
    fs::write(folder.path().join("spcs_token"), "s\n").unwrap();
    let service = Service::new(&[]);
    let path = folder.path().join("token").display().to_string();
    let port = service.port.to_string();
    let variable = |name: &str| {
        let value = match name {
            "SNOWFLAKE_RUNNING_INSIDE_SPCS" => "true",
            "SNOWFLAKE_HOST" => "127.0.0.1",
            "SNOWFLAKE_PORT" => &port,
            "SNOWFLAKE_PROTOCOL" => "http",
            "SNOWFLAKE_ACCOUNT" => "xy1",
            "SNOWFLAKE_TOKEN_FILE_PATH" => &path,
            _ => return None,
        };
        Some(value.to_owned())
    };
    let connection = snowcat_host::snowflake::Connection::find(None, &[], &variable).unwrap();
    drop(Session::open(&connection).unwrap());
    let data = &service.sent(LOGIN)[0].body["data"];
    let fields = ["LOGIN_NAME", "AUTHENTICATOR", "TOKEN", "SPCS_TOKEN"].map(|name| &data[name]);
    assert_eq!(fields, [&Value::Null, &json!("OAUTH"), &json!("t"), &json!("s")]);

    // A token that cannot be read is an error; without the file there is none to send.
    let spcs_token = folder.path().join("spcs_token");
    fs::remove_file(&spcs_token).unwrap();
    drop(Session::open(&connection).unwrap());
    assert_eq!(service.sent(LOGIN)[1].body["data"]["SPCS_TOKEN"], Value::Null);
    fs::create_dir(&spcs_token).unwrap();
    let error = Session::open(&connection).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.message().contains("spcs_token: "), "{error}");
    fs::remove_dir(&spcs_token).unwrap();
    fs::write(&spcs_token, "s\n").unwrap();

    // A user of its own sends the service's token, too.
    let own = [("account", "xy1"), ("user", "loader"), ("password", "hunter2")];
    let address = [("host", "127.0.0.1"), ("port", port.as_str()), ("protocol", "http")];
    let arguments = [own, address].concat();
    let connection =
        snowcat_host::snowflake::Connection::find(None, &arguments, &variable).unwrap();
    drop(Session::open(&connection).unwrap());
    let data = &service.sent(LOGIN)[2].body["data"];
    let fields = ["LOGIN_NAME", "PASSWORD", "SPCS_TOKEN"].map(|name| &data[name]);
    assert_eq!(fields, [&json!("loader"), &json!("hunter2"), &json!("s")]);
}

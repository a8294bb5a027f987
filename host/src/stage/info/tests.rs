use serde_json::json;

use super::*;

/// Answers name the address of a file: the rules of the drivers, cloud by cloud.
#[test]
fn files_have_an_address() {
    let check = |info: Value, expect: &str| {
        let found = StageInfo::parse(&json!({"command": "UPLOAD", "stageInfo": info})).unwrap();
        let ask = match &found.storage {
            StageStorage::Amazon(stage) => stage.endpoint.ask(&[&stage.prefix, "f"]),
            StageStorage::Azure(stage) => stage.endpoint.ask(&[&stage.prefix, "f"]),
            StageStorage::Google(GoogleStage::Folder { endpoint, prefix, .. }) => {
                endpoint.ask(&[prefix, "f"])
            }
            StageStorage::Google(GoogleStage::Presigned(url)) => {
                crate::cloud::request::Ask::of_url(url.reveal()).unwrap()
            }
        };
        // The prefix ends with a slash.
        assert_eq!(format!("{}{}", ask.origin, ask.path).replace("//f", "/f"), expect);
    };
    let amazon = |more: Value| with(amazon(), more);
    check(amazon(json!({})), "https://sfc-b.s3.amazonaws.com/p%20q/f");
    for flag in ["useS3RegionalUrl", "useRegionalUrl"] {
        check(amazon(json!({flag: true})), "https://sfc-b.s3.eu-west-1.amazonaws.com/p%20q/f");
    }
    let china = json!({"region": "cn-north-1", "location": "sfc-b"});
    check(amazon(china), "https://sfc-b.s3.cn-north-1.amazonaws.com.cn/f");
    let vpce = "bucket.vpce-1.s3.us-gov-west-1.vpce.amazonaws.com";
    check(amazon(json!({"endPoint": vpce})), &format!("https://sfc-b.{vpce}/p%20q/f"));
    check(amazon(json!({"location": "a.b/p"})), "https://s3.amazonaws.com/a.b/p/f");
    check(amazon(json!({"endPoint": "http://localhost:1"})), "http://localhost:1/sfc-b/p%20q/f");

    let azure = |more: Value| with(azure(), more);
    check(azure(json!({})), "https://acc.blob.core.windows.net/c/p/f");
    for domain in ["core.usgovcloudapi.net", "blob.core.usgovcloudapi.net"] {
        check(azure(json!({"endPoint": domain})), "https://acc.blob.core.usgovcloudapi.net/c/p/f");
    }
    check(azure(json!({"endPoint": "http://127.0.0.1:1/acc"})), "http://127.0.0.1:1/acc/c/p/f");

    let google = |more: Value| with(google(), more);
    check(google(json!({})), "https://storage.googleapis.com/b/p/f");
    check(google(json!({"useVirtualUrl": true})), "https://b.storage.googleapis.com/p/f");
    let regional = "https://storage.europe-west2.rep.googleapis.com/b/p/f";
    check(google(json!({"useRegionalUrl": true, "region": "europe-west2"})), regional);
    let saudi = "https://storage.me-central2.rep.googleapis.com/b/p/f";
    check(google(json!({"region": "ME-CENTRAL2"})), saudi);
    check(
        google(json!({"endPoint": "storage.acme.example"})),
        "https://storage.acme.example/b/p/f",
    );
    let url = "https://storage.googleapis.com/b/p/f?X-Goog-Signature=s%2F";
    check(google(json!({"presignedUrl": url, "location": "Not a bucket!/"})), url);
}

#[test]
fn an_answer_that_is_of_no_use_is_an_error_without_a_secret() {
    let check = |data: Value, expect: &str| {
        let error = StageInfo::parse(&data).err().unwrap_or_default();
        assert!(error.contains(expect) && !error.contains("4711"), "{error}");
    };
    let info = |info: Value| json!({"stageInfo": info});
    check(json!(null), "expected a string in data.uploadInfo.locationType, found none");
    check(
        json!({"command": "DOWNLOAD"}),
        "expected the command UPLOAD in data, found \"DOWNLOAD\"",
    );
    check(info(json!({"locationType": 7})), "data.stageInfo.locationType, found another type");
    check(info(json!({"locationType": "LOCAL_FS"})), "found \"LOCAL_FS\"");
    for location in ["", "evil.example:1/@/p", "a b/p", "/p"] {
        check(info(with(amazon(), json!({"location": location}))), "data.stageInfo.location");
    }
    let none = json!({"creds": {"AWS_KEY_ID": "4711", "AWS_SECRET_KEY": null}});
    check(info(with(amazon(), none)), "data.stageInfo.creds.AWS_SECRET_KEY, found null");
    check(info(with(amazon(), json!({"region": "x/y"}))), "data.stageInfo.region, found \"x/y\"");
    check(info(with(amazon(), json!({"endPoint": "evil/x"}))), "data.stageInfo.endPoint");
    check(info(with(azure(), json!({"endPoint": "https://u@h"}))), "data.stageInfo.endPoint");
    let none = json!({"creds": {"AZURE_SAS_TOKEN": "sv=4711"}});
    check(info(with(azure(), none)), "with a sig in data.stageInfo.creds.AZURE_SAS_TOKEN");
    check(info(with(azure(), json!({"storageAccount": "a/b"}))), "data.stageInfo.storageAccount");
    let none = "GCS_ACCESS_TOKEN in data.stageInfo.creds, or a presignedUrl; found neither";
    check(info(with(google(), json!({"creds": {}}))), none);
    let encrypted = with(amazon(), json!({"isClientSideEncrypted": true}));
    check(info(encrypted.clone()), "expected encryptionMaterial in data");
    let material =
        |material: Value| json!({"stageInfo": encrypted, "encryptionMaterial": material});
    check(material(json!([])), "expected encryptionMaterial in data");
    check(material(json!([{}, {}])), "expected one element in data.encryptionMaterial, found 2");
    let key = |key: &str| json!({"queryStageMasterKey": key, "queryId": "q", "smkId": 1});
    check(material(key("4711")), "16 or 32 bytes in base64");
    check(material(key("4711 is no base64")), "16 or 32 bytes in base64");
    check(material(with(key(&"A".repeat(43)), json!({"smkId": true}))), "16 or 32 bytes");
    let right = key(&STANDARD.encode([7; 32]));
    check(material(with(right, json!({"smkId": true}))), "data.encryptionMaterial.smkId");
}

#[test]
fn keys_and_times_have_several_forms() {
    let key = STANDARD.encode([7; 16]);
    let one = json!({"queryStageMasterKey": key, "queryId": "q", "smkId": 18_446_744_073_709_551_615_u64});
    for (material, smk_id) in [
        (one.clone(), "18446744073709551615"),
        (json!([one]), "18446744073709551615"),
        (with(one, json!({"smkId": "99999999999999999999"})), "99999999999999999999"),
    ] {
        let data = json!({"stageInfo": amazon(), "encryptionMaterial": material});
        let found = StageInfo::parse(&data).unwrap().material.unwrap();
        assert_eq!((&*found.smk_id, found.key.bytes()), (smk_id, &[7; 16][..]));
    }
    let check = |time: Value, expect: Option<u64>| {
        let data = json!({"uploadInfo": with(amazon(), json!({"credExpiryTime": time}))});
        let expect = expect.map(|it| SystemTime::UNIX_EPOCH + Duration::from_millis(it));
        assert_eq!(StageInfo::parse(&data).unwrap().expires, expect);
    };
    check(json!(1_765_139_519_000_u64), Some(1_765_139_519_000));
    check(json!("1765139519000"), Some(1_765_139_519_000));
    for none in [json!(null), json!(0), json!(-1), json!("soon")] {
        check(none, None);
    }
}

fn amazon() -> Value {
    json!({
        "locationType": "S3", "location": "sfc-b/p q/", "region": "eu-west-1", "endPoint": null,
        "creds": {"AWS_KEY_ID": "k", "AWS_SECRET_KEY": "s-4711", "AWS_TOKEN": "t-4711"},
    })
}

fn azure() -> Value {
    json!({
        "locationType": "AZURE", "location": "c/p/", "storageAccount": "acc",
        "creds": {"AZURE_SAS_TOKEN": "?sv=1&sig=a%2B4711"},
    })
}

fn google() -> Value {
    json!({"locationType": "GCS", "location": "b/p/", "creds": {"GCS_ACCESS_TOKEN": "4711"}})
}

/// The same with other members.
fn with(mut value: Value, more: Value) -> Value {
    for (key, other) in more.as_object().unwrap() {
        value[key] = other.clone();
    }
    value
}

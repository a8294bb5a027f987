//! The decision and message for every kind of response.

use super::*;
use crate::fault::FaultKind;

fn request() -> Request {
    Request {
        resource: "items".to_owned(),
        parent: Vec::new(),
        method: "GET".to_owned(),
        url: "https://x.net/items?token=s3cret&page=1".to_owned(),
        headers: Vec::new(),
        auth: Some("jira".to_owned()),
        body: None,
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Response, Failure> {
    let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Ok(Response { status, headers, body: body.to_owned() })
}

fn first(answer: &Result<Response, Failure>) -> Decision {
    Retry::new("load", &request()).judge(&request(), ResponsePolicy::default(), answer)
}

#[test]
fn takes_json() {
    for (status, kind, body) in [
        (200, "application/json; charset=utf-8", "{}"),
        (200, "", " [1]\n"),
        (201, "text/plain", "1"),
        (200, "application/vnd.api+json", "{\"a\":\"<html>\"}"),
        (200, "application/x-ndjson", "{}\n{}"),
    ] {
        assert_eq!(
            first(&answer(status, &[("content-type", kind)], body)),
            Decision::Proceed,
            "{kind}"
        );
    }
}

#[test]
fn permanent_failures_are_faults() {
    let check = |answer: Result<Response, Failure>, message: &str| {
        let Decision::GiveUp(fault) = first(&answer) else { panic!("{answer:?}") };
        assert_eq!(fault.kind, FaultKind::Source);
        assert_eq!(
            fault.to_string(),
            format!("GET https://x.net/items?token=...&page=...: {message}")
        );
    };
    check(answer(401, &[], ""), "credential \"jira\" was refused: status 401");
    check(
        answer(403, &[], "{\"message\": \"no\n  entry\"}"),
        "credential \"jira\" was refused: status 403: {\"message\": \"no entry\"}",
    );
    check(answer(404, &[], "nope"), "status 404: nope");
    check(answer(400, &[], &"x".repeat(300)), &format!("status 400: {}...", "x".repeat(200)));
    check(
        answer(302, &[("location", "https://login.x.net/?next=secret")], ""),
        "status 302, a redirect to https://login.x.net/?next=... that is not followed",
    );
    check(answer(304, &[], ""), "status 304, a redirect that is not followed");
    check(
        answer(
            200,
            &[("content-type", "text/html; charset=utf-8")],
            "<!doctype html>\n<title>Log in</title>",
        ),
        "expected JSON, found status 200 and text/html: <!doctype html> <title>Log in</title>",
    );
    check(answer(200, &[], "  <x/>"), "expected JSON, found status 200 and no content type: <x/>");
    check(answer(200, &[], " \n"), "expected JSON, found status 200 and no body");
    check(
        Err(Failure {
            code: "SSL".to_owned(),
            message: "bad certificate".to_owned(),
            transient: false,
        }),
        "no answer: bad certificate (SSL)",
    );
    check(
        answer(429, &[("retry-after", "3600")], ""),
        "status 429: it asks to wait 3600 s, more than the 900 s a load waits",
    );
    let mut plain = request();
    plain.auth = None;
    let Decision::GiveUp(fault) =
        Retry::new("l", &plain).judge(&plain, ResponsePolicy::default(), &answer(401, &[], ""))
    else {
        panic!()
    };
    assert!(fault.message.starts_with("no credential was sent (name one in \"auth\"): status 401"));
}

#[test]
fn no_content_ends_the_pages() {
    assert_eq!(first(&answer(204, &[], "")), Decision::Ignore);
}

/// GitHub's statistics: 202 and `{}` while they are computed.
#[test]
fn unfinished_results_are_requested_again() {
    for body in ["{}", " [] ", "", "null"] {
        let Decision::Wait { reason, .. } = first(&answer(202, &[], body)) else {
            panic!("{body}")
        };
        assert!(reason.ends_with("an answer that is not ready"), "{reason}");
    }
    assert_eq!(first(&answer(202, &[], "[{\"id\":1}]")), Decision::Proceed);
    assert_eq!(first(&answer(200, &[], "{}")), Decision::Proceed);
    let ignore =
        [ResponseRule { status: Some(202), content: None, action: ResponseAction::Ignore }];
    let rules = ResponsePolicy { rules: &ignore, ..ResponsePolicy::default() };
    let judged = Retry::new("l", &request()).judge(&request(), rules, &answer(202, &[], "{}"));
    assert_eq!(judged, Decision::Ignore);
}

#[test]
fn rules_of_the_job_are_applied() {
    let action = |status: Option<u16>, content: Option<&str>, action: ResponseAction| {
        ResponseRule { status, content: content.map(str::to_owned), action }
    };
    let actions = [
        action(Some(404), Some("gone"), ResponseAction::Ignore),
        action(Some(202), None, ResponseAction::Retry),
        action(None, Some("denied"), ResponseAction::Raise),
        action(Some(500), None, ResponseAction::Ignore),
        action(Some(401), None, ResponseAction::Ignore),
    ];
    let check = |answer: Result<Response, Failure>, expect: &str| {
        let rules = ResponsePolicy { rules: &actions, end_statuses: &[], renews: true };
        let found = match Retry::new("l", &request()).judge(&request(), rules, &answer) {
            Decision::GiveUp(fault) => fault.message,
            Decision::Wait { reason, .. } => reason,
            other => format!("{other:?}"),
        };
        assert!(found.ends_with(expect), "{found}");
    };
    check(answer(404, &[], "it is gone"), "Ignore");
    check(answer(404, &[], "it is lost"), "status 404: it is lost");
    check(answer(200, &[], "\"gone\""), "Proceed");
    check(answer(202, &[], ""), "status 202");
    check(
        answer(200, &[], "{\"x\":\"denied\"}"),
        "status 200: {\"x\":\"denied\"}, which the job says is a failure",
    );
    // The first matching rule applies; an ignored response is not retried.
    check(answer(500, &[], "denied"), "status 500: denied, which the job says is a failure");
    check(answer(500, &[], "oops"), "Ignore");
    check(answer(401, &[], "who?"), "Ignore");
}

#[test]
fn rejected_token_is_renewed_once() {
    let expired = answer(401, &[], "expired");
    let rules = ResponsePolicy { rules: &[], end_statuses: &[], renews: true };
    let mut retry = Retry::new("l", &request());
    assert_eq!(retry.judge(&request(), rules, &expired), Decision::Resend);
    let Decision::GiveUp(fault) = retry.judge(&request(), rules, &expired) else { panic!() };
    assert_eq!(fault.message, "credential \"jira\" was refused: status 401: expired");
    let mut retry = Retry::new("l", &request());
    assert_eq!(retry.judge(&request(), rules, &expired), Decision::Resend);
    // It did not count as an attempt.
    let Decision::Wait { reason, .. } = retry.judge(&request(), rules, &answer(500, &[], ""))
    else {
        panic!()
    };
    assert!(reason.starts_with("attempt 1 of 5 at "), "{reason}");
    assert_eq!(retry.judge(&request(), rules, &answer(200, &[], "{}")), Decision::Proceed);
}

#[test]
fn truncated_page_is_requested_again() {
    for body in ["{\"items\":[{\"a\":1},{\"b", "[1,2", "{\"a\":[1]", "{", "[{\"a\":1}"] {
        let Decision::Wait { reason, .. } = first(&answer(200, &[], body)) else {
            panic!("{body}")
        };
        assert!(
            reason.ends_with(&format!("a page that breaks off after {} bytes", body.len())),
            "{reason}"
        );
    }
}

#[test]
fn delays_double() {
    for trouble in [
        answer(500, &[], "oops"),
        answer(503, &[], ""),
        answer(429, &[], ""),
        answer(408, &[], ""),
        Err(Failure { code: String::new(), message: "timed out".to_owned(), transient: true }),
    ] {
        let mut retry = Retry::new("load", &request());
        let mut total = 0.0;
        for doubled in [1.0, 2.0, 4.0, 8.0] {
            match retry.judge(&request(), ResponsePolicy::default(), &trouble) {
                Decision::Wait { seconds, .. } => {
                    assert!(
                        (doubled..=doubled * 1.5).contains(&seconds),
                        "{seconds} for {doubled}"
                    );
                    total += seconds;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(total > 15.0);
        let Decision::GiveUp(fault) = retry.judge(&request(), ResponsePolicy::default(), &trouble)
        else {
            panic!()
        };
        assert!(fault.message.ends_with(", at the 5th attempt"), "{fault}");
    }
}

#[test]
fn delays_depend_on_the_load_and_the_request_only() {
    let wait = |load: &str, url: &str| {
        let request = Request { url: url.to_owned(), ..request() };
        match Retry::new(load, &request).judge(
            &request,
            ResponsePolicy::default(),
            &answer(500, &[], ""),
        ) {
            Decision::Wait { seconds, .. } => seconds,
            other => panic!("{other:?}"),
        }
    };
    let waits: Vec<f64> = (0..50).map(|n| wait("a", &format!("https://x.net/{n}"))).collect();
    assert_eq!(
        waits,
        (0..50).map(|n| wait("a", &format!("https://x.net/{n}"))).collect::<Vec<_>>()
    );
    assert_ne!(
        waits,
        (0..50).map(|n| wait("b", &format!("https://x.net/{n}"))).collect::<Vec<_>>()
    );
    let (low, high) = waits.iter().fold((2.0, 0.0), |(l, h), w| (f64::min(l, *w), f64::max(h, *w)));
    assert!(low < 1.1 && high > 1.4, "{low} {high}");
    let Decision::Wait { reason, .. } = first(&answer(500, &[], "oops")) else { panic!() };
    assert_eq!(
        reason,
        "attempt 1 of 5 at GET https://x.net/items?token=...&page=...: status 500: oops"
    );
}

#[test]
fn requested_delays_are_applied() {
    let check = |status: u16, headers: &[(&str, &str)], asked: f64| {
        let Decision::Wait { seconds, .. } = first(&answer(status, headers, "")) else {
            panic!("{headers:?}")
        };
        assert!((asked..=asked + 1.0).contains(&seconds), "{seconds} for {headers:?}");
    };
    let date = ("date", "Sun, 06 Nov 1994 08:49:00 GMT");
    check(429, &[("retry-after", "7")], 7.0);
    check(503, &[("retry-after", " 0 ")], 0.0);
    check(503, &[date, ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], 37.0);
    check(503, &[date, ("retry-after", "Sun, 06 Nov 1994 08:48:37 GMT")], 0.0);
    let none_left = ("x-ratelimit-remaining", "0");
    check(429, &[none_left, ("x-ratelimit-reset", "60")], 60.0);
    check(429, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "60")], 60.0);
    check(403, &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "60")], 60.0);
    check(403, &[none_left, date, ("x-ratelimit-reset", "784111797")], 57.0);
    check(403, &[("retry-after", "60")], 60.0);
    check(429, &[none_left, date, ("x-ratelimit-reset", "784111797000")], 57.0);
    check(429, &[none_left, date, ("x-ratelimit-reset", "1994-11-06T08:50Z")], 60.0);
    check(429, &[none_left, date, ("x-ratelimit-reset", "1994-11-06T08:49:10+00:00")], 10.0);
    // Without a usable header the delay is the default.
    for headers in [
        &[("retry-after", "soon")][..],
        &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")],
        &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "60")],
        &[none_left, ("x-ratelimit-reset", "784111797")],
        &[none_left, ("x-ratelimit-reset", "later")],
    ] {
        check(429, headers, 1.0);
    }
    // Beyond the range of clocks.
    let date = ("date", "Tue, 06 Nov 1900 08:49:00 GMT");
    let never = answer(429, &[none_left, date, ("x-ratelimit-reset", "1e300")], "");
    assert!(matches!(first(&never), Decision::GiveUp(_)), "{:?}", first(&never));
}

use serde_json::json;

use super::*;

fn nobody(_: u64) -> String {
    String::new()
}

fn shown(content: &Content) -> (&'static str, Value) {
    let (kind, payload) = show(content, &nobody);
    (kind, serde_json::from_str(payload.get()).unwrap())
}

fn read_value(kind: &str, payload: &Value) -> Content {
    read(kind, &serde_json::value::to_raw_value(payload).unwrap()).unwrap().content
}

/// Whatever a client sends, another client of this dialect gets; and other dialects get the typed kind.
#[test]
fn payloads_come_back_as_they_were() {
    let cases = [
        ("TIMTextElem", json!({"text": "hi"})),
        ("TIMTextElem", json!({"text": "hi", "newer": {"field": [1, 2.5, null]}})),
        (
            "TIMImageElem",
            json!({"uuid": "u", "imageFormat": 1, "imageInfoArray": [
                {"type": 1, "size": 9, "width": 4, "height": 3, "url": "https://x/1.png"},
                {"type": 3, "size": 2, "width": 2, "height": 1, "url": "https://x/3.png"}]}),
        ),
        ("TIMSoundElem", json!({"uuid": "u", "url": "https://x/1.m4a", "size": 9, "second": 7, "downloadFlag": 2})),
        (
            "TIMVideoFileElem",
            json!({"videoUUID": "u", "videoUrl": "https://x/1.mp4", "videoFormat": "mp4", "videoSize": 9, "videoSecond": 1.5,
                "thumbUUID": "t", "thumbUrl": "https://x/1.jpg", "thumbFormat": "jpg", "thumbSize": 2, "thumbWidth": 4, "thumbHeight": 3}),
        ),
        ("TIMFileElem", json!({"uuid": "u", "fileName": "a.txt", "fileUrl": "https://x/a.txt", "fileSize": 3})),
        ("TIMFaceElem", json!({"index": "1", "data": "tt01"})),
        ("TIMFaceElem", json!({"index": 1, "data": "tt01"})),
        ("TIMLocationElem", json!({"description": "here", "longitude": 116.3, "latitude": -39.9})),
        ("TIMCustomElem", json!({"data": "{}", "description": "d", "extension": "e"})),
        (
            "TIMRelayElem",
            json!({"title": "t", "abstractList": ["a: hi"], "compatibleText": "c", "downloadKey": "k", "messageList": [
                {"from": "alice", "time": 5, "type": "TIMTextElem", "payload": {"text": "hi"}}]}),
        ),
    ];
    for (kind, payload) in cases {
        assert_eq!(shown(&read_value(kind, &payload)), (kind, payload));
    }
}

#[test]
fn what_the_kind_can_hold_is_kept_once() {
    let content = read_value("TIMTextElem", &json!({"text": "hi"}));
    assert_eq!(content.raw, "");
    assert_eq!(content.kind, Some(Kind::Text(entry::Text { text: "hi".to_owned() })));
}

#[test]
fn other_dialects_see_what_it_is() {
    let sound = read_value("TIMSoundElem", &json!({"url": "https://x/1.m4a", "size": 9, "second": 7, "newer": 1}));
    let Some(Kind::Voice(voice)) = sound.kind else { panic!("{sound:?}") };
    assert_eq!((voice.duration_ms, voice.media.unwrap().url.as_str()), (7000, "https://x/1.m4a"));

    let relay = json!({"title": "t", "messageList": [
        {"from": "alice", "time": 5, "type": "TIMRelayElem", "payload": {"title": "inner", "messageList": [
            {"from": "bob", "type": "TIMTextElem", "payload": {"text": "deep"}}]}}]});
    let read = read("TIMRelayElem", &serde_json::value::to_raw_value(&relay).unwrap()).unwrap();
    assert_eq!(read.authors, ["alice"]);
    let Some(Kind::Forward(forward)) = read.content.kind else { panic!("a relay is a forward") };
    let inner = forward.items[0].content.clone().unwrap().kind;
    assert_eq!(inner, Some(Kind::Text(entry::Text { text: "inner".to_owned() })));
}

#[test]
fn a_borrowed_mark_is_not_believed() {
    let text = Kind::Text(entry::Text { text: "hi".to_owned() });
    for raw in ["{broken", "{} {}", ""] {
        let content =
            Content { kind: Some(text.clone()), origin: ORIGIN.to_owned(), raw: raw.to_owned(), ..Content::default() };
        assert_eq!(shown(&content), ("TIMTextElem", json!({"text": "hi"})), "{raw:?}");
    }
    let foreign = Content { kind: Some(text), origin: "maxim".to_owned(), raw: "{}".to_owned(), ..Content::default() };
    assert_eq!(shown(&foreign), ("TIMTextElem", json!({"text": "hi"})));
}

#[test]
fn what_is_no_message_is_refused() {
    for (kind, payload) in [
        ("TIMNoSuchElem", json!({})),
        ("TIMGroupTipElem", json!({})),
        ("TIMTextElem", json!({"text": 5})),
        ("TIMTextElem", json!([])),
        ("TIMTextElem", json!(null)),
        ("TIMImageElem", json!({"imageInfoArray": [{"width": -1}]})),
        ("TIMRelayElem", json!({"messageList": [{"type": "TIMNoSuchElem", "payload": {}}]})),
    ] {
        assert!(read(kind, &serde_json::value::to_raw_value(&payload).unwrap()).is_err(), "{kind} {payload}");
    }
}

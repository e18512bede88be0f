use serde_json::json;

use super::*;

fn body_of(content_type: u8, content: &str, attachment: &str) -> Body {
    Body { content_type, content: content.to_owned(), attachment: attachment.to_owned() }
}

/// Everybody's number is the id.
fn same(user: u64) -> u64 {
    user
}

fn read_body(body: &Body) -> Content {
    read(body.clone(), String::new(), String::new()).unwrap()
}

/// Whatever a client sends, another client of this dialect gets, to the byte.
#[test]
fn bodies_come_back_as_they_were() {
    for body in [
        body_of(0, "hi", ""),
        body_of(0, "", ""),
        body_of(0, "hi", "not json"),
        body_of(1, "", r#"{"dName":"a.png","fLen":9,"width":0,"height":0,"url":"https://x/a.png"}"#),
        body_of(1, "caption", r#"{ "url" : "https://x/a.png", "width": 4.0, "newer": [1] }"#),
        body_of(1, "", ""),
        body_of(2, "", r#"{"url":"https://x/a.amr","duration":3}"#),
        body_of(3, "", r#"{"url":"https://x/a.mp4","tUrl":"https://x/a.jpg","duration":3.5,"width":4,"height":3}"#),
        body_of(4, "", r#"{"dName":"a.txt","fLen":3,"url":"https://x/a.txt"}"#),
        body_of(5, "", r#"{"lat":39.90374,"lon":116.397827,"addr":"somewhere"}"#),
        body_of(6, "{\"action\":1}", ""),
        body_of(6, "x", r#"{"type":"custom","description":"d","x":1}"#),
        body_of(7, "title", r#"{"items":[{"from":5,"timestamp":7,"content_type":0,"content":"hi","attachment":""}]}"#),
        body_of(7, "title", "[]"),
    ] {
        let content = read_body(&body);
        assert_eq!(show(&content, &same), body);
        assert_eq!(content.origin, "maxim");
    }
}

#[test]
fn what_the_kind_can_hold_is_kept_once() {
    let written = [
        body_of(0, "hi", ""),
        body_of(6, "{}", ""),
        body_of(4, "", r#"{"dName":"a.txt","fLen":3,"url":"https://x/a.txt"}"#),
        body_of(5, "", r#"{"lat":39.5,"lon":116.5,"addr":"somewhere"}"#),
    ];
    for body in written {
        assert_eq!(read_body(&body).raw, "", "{body:?}");
    }
}

#[test]
fn every_kind_of_another_dialect_goes_through_and_back() {
    let media = || {
        let (url, name) = ("https://x/1".to_owned(), "n".to_owned());
        Some(entry::Media { url, name, size: 9, ..entry::Media::default() })
    };
    let cover = || Some(entry::Media { url: "https://x/2".to_owned(), ..entry::Media::default() });
    let inner = Content { kind: Some(Kind::Text(entry::Text { text: "hi".to_owned() })), ..Content::default() };
    let item = entry::Forwarded { sender: 5, time: 7, content: Some(inner) };
    let (index, data) = ("1".to_owned(), "tt01".to_owned());
    for kind in [
        Kind::Text(entry::Text { text: "hi".to_owned() }),
        Kind::Image(entry::Image { media: media(), width: 4, height: 3, thumbnail: cover() }),
        Kind::Voice(entry::Voice { media: media(), duration_ms: 2500 }),
        Kind::Video(entry::Video { media: media(), duration_ms: 2000, width: 4, height: 3, cover: cover() }),
        Kind::File(entry::File { media: media() }),
        Kind::Location(entry::Location { latitude: 0.0, longitude: -1.5, address: "a".to_owned() }),
        Kind::Face(entry::Face { index, data: data.clone() }),
        Kind::Custom(entry::Custom { data, description: "d".to_owned(), extension: "e".to_owned() }),
        Kind::Command(entry::Command { data: "x".to_owned() }),
        Kind::Forward(entry::Forward { title: "t".to_owned(), items: vec![item] }),
    ] {
        let content = Content { kind: Some(kind.clone()), origin: "tim".to_owned(), ..Content::default() };
        let back = read_body(&show(&content, &same));
        // The relayed content's own origin is not relayed.
        assert_eq!(back.kind, Some(kind));
    }
}

#[test]
fn mentions_travel_in_the_config() {
    let config = json!({"mentionAll": true, "mentionList": [5, 6], "pushMessage": "look"}).to_string();
    let content = read(body_of(0, "hi", ""), config.clone(), r#"{"a":1}"#.to_owned()).unwrap();
    assert_eq!((content.mention_all, content.mentions.clone()), (true, vec![5, 6]));
    assert_eq!(show_config(&content, &same), config);
    assert_eq!(content.extension, r#"{"a":1}"#);

    let foreign = Content { mentions: vec![7], ..Content::default() };
    assert_eq!(show_config(&foreign, &same), r#"{"mentionAll":false,"mentionList":[7]}"#);
    assert_eq!(show_config(&Content::default(), &same), "");
    let unread = read(body_of(0, "hi", ""), "not json".to_owned(), String::new()).unwrap();
    assert_eq!(show_config(&unread, &same), "not json");
}

#[test]
fn unknown_types_are_refused() {
    for content_type in [8, 9, 11, 255] {
        assert!(read(body_of(content_type, "", ""), String::new(), String::new()).is_none());
    }
}

#[test]
fn a_borrowed_mark_is_not_believed() {
    let text = Kind::Text(entry::Text { text: "hi".to_owned() });
    let content =
        Content { kind: Some(text), origin: ORIGIN.to_owned(), raw: "{broken".to_owned(), ..Content::default() };
    assert_eq!(show(&content, &same), body_of(0, "hi", ""));
}

#[test]
fn users_are_found_by_their_numbers_and_shown_by_them() {
    let attachment =
        json!({"items": [{"from": 5, "timestamp": 1, "content_type": 0, "content": "hi", "attachment": ""}]});
    let body = body_of(7, "two", &attachment.to_string());
    let config = json!({"mentionAll": false, "mentionList": [5, 6]}).to_string();
    let mut content = read(body.clone(), config, String::new()).unwrap();
    assert_eq!(named(&content), BTreeSet::from([5, 6]));
    resolve(&mut content, &HashMap::from([(5, 1_005)]));
    assert_eq!(content.mentions, [1_005]);
    let Some(Kind::Forward(forward)) = &content.kind else { panic!("it passes something on") };
    assert_eq!(forward.items[0].sender, 1_005);
    assert_eq!(show(&content, &|user| user - 1_000), body);
}

#[test]
fn what_nobody_known_said_is_shown_as_it_came() {
    let attachment = r#"{"items":[{"from":5,"timestamp":1,"content_type":0,"content":"hi","attachment":""}]}"#;
    let body = body_of(7, "one", attachment);
    let mut content = read_body(&body);
    resolve(&mut content, &HashMap::new());
    let Some(Kind::Forward(forward)) = &content.kind else { panic!("it passes something on") };
    assert_eq!(forward.items[0].sender, 0);
    assert_eq!(show(&content, &same), body);
}

//! Files on their way through the service: larger than any other body, and not text.

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use domain::{AppNumber, Caller, UserId, tokens::Issue, users::NewUser};
use futures_util::stream;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::world::World;

/// A picture of one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";

async fn user(world: &World, uid: &str) -> (Caller, String) {
    let operator = world.domain.apps.operator(AppNumber(7)).await.unwrap();
    let new = NewUser { uid: Some(uid.into()), ..NewUser::default() };
    let user = world.domain.users.create(&operator, new).await.unwrap();
    let issue = Issue { dialect: "", platform: 0, lifetime: None, repeatable: false };
    let token = world.domain.tokens.issue(&operator, UserId(user.id), issue).await.unwrap().text;
    (world.domain.tokens.authenticate(&token).await.unwrap(), token)
}

/// Status, headers and bytes of an answer.
async fn exchange(world: &World, request: Request<Body>) -> (u16, HeaderMap, Bytes) {
    let response = world.service.router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status.as_u16(), parts.headers, body.collect().await.unwrap().to_bytes())
}

async fn get(world: &World, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Bytes) {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    exchange(world, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_file_larger_than_other_bodies_passes_piece_by_piece() {
    let world = World::new().await;
    let (_, token) = user(&world, "1").await;
    let piece = Bytes::from(vec![7; 64 << 10]);
    let pieces = stream::iter((0..64).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
    let request = Request::builder().method("POST").uri("/files").header("authorization", format!("Bearer {token}"));
    let (status, _, body) = exchange(&world, request.body(Body::from_stream(pieces)).unwrap()).await;
    assert_eq!(status, 200, "{body:?}");
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let (status, headers, body) = get(&world, answer["src"].as_str().unwrap(), &[]).await;
    assert_eq!((status, body.len(), &headers["content-length"]), (200, 4 << 20, &"4194304".parse().unwrap()));
    assert!(body.iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let world = World::new().await;
    let (_, token) = user(&world, "1").await;
    let pieces = stream::iter([Ok(Bytes::from_static(b"hello")), Err(std::io::Error::other("gone"))]);
    let request = Request::builder().method("POST").uri("/files").header("authorization", format!("Bearer {token}"));
    let (status, _, body) = exchange(&world, request.body(Body::from_stream(pieces)).unwrap()).await;
    assert_eq!(status, 400);
    assert!(String::from_utf8_lossy(&body).contains("broke off"), "{body:?}");
}

#[tokio::test]
async fn a_picture_goes_up_in_a_form_and_comes_down_small() {
    let world = World::new().await;
    let (_, alice) = user(&world, "1").await;
    let (_, bob) = user(&world, "2").await;
    let headers = [("app_id", "demo"), ("access-token", alice.as_str())];
    let (_, _, body) = get(&world, "/file/upload/chat?file_type=102&to_id=2&to_type=1", &headers).await;
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut form = Vec::new();
    for (name, value) in answer["data"]["oss_body_param"].as_object().unwrap() {
        form.extend(
            format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{}\r\n", text(value)).bytes(),
        );
    }
    form.extend(
        b"--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: text/html\r\n\r\n",
    );
    form.extend(PNG);
    form.extend(b"\r\n--X--\r\n");
    let request = Request::builder()
        .method("POST")
        .uri(text(&answer["data"]["upload_url"]))
        .header("content-type", "multipart/form-data; boundary=X");
    let (status, _, body) = exchange(&world, request.body(Body::from(form)).unwrap()).await;
    assert_eq!((status, &body[..]), (200, format!(r#"{{"size":{},"type":"image/png"}}"#, PNG.len()).as_bytes()));

    let url = text(&answer["data"]["download_url"]);
    for (size, whole) in [(1, true), (2, false), (3, false)] {
        let query = format!("{url}&image_type={size}&access-token={bob}&app_id=demo");
        let (status, headers, _) = get(&world, &query, &[]).await;
        assert_eq!(status, 302);
        let (status, headers, body) = get(&world, headers["location"].to_str().unwrap(), &[]).await;
        assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "image/png"));
        assert!(body.starts_with(b"\x89PNG") && (body == PNG) == whole, "{size}");
    }
}

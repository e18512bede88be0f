//! Golden request and reply pairs: `tests/<dialect>/<noun>/<name>.json`, each about one route.
//!
//! A file names its route and lists cases, which run in order in one fresh world. `is` says what a case shows: `ok`, `refused`
//! (a wrong credential), `error` or `setup`. Strings in requests and replies may hold `${name}`: a value that an earlier reply saved.
//! In a reply, what differs from run to run is masked, and named where it is needed later: `<hex32>`, `<alnum30 as token>`,
//! `<text>`, `<int>`, `<any>`, `<sign>`, `<query>` (a URL, of which the value of its parameter is saved). Files whose names begin with `_` are run by others, which list them under `before`.
//! A file for several methods runs once for each.
//!
//! `access` tells the least that may make the file's first `ok` request: `public` (anyone), `app` (the app's server or an administrator
//! of the app), `user` (any user who is logged in), `member`, `admin` or `owner`. The last three are of the group that `group` names by
//! a saved value, as in `"access": "owner", "group": "${g}"`; with `"speaks": true` a muted member must not make it either.
//! From these the authorisation matrix is made, which sends that first `ok` request under credentials that must not do.
//!
//! With `LINNET_BLESS=1`, cases without a reply get the one that came; read it before you commit it.
//! `LINNET_GOLDEN=maxim/` runs only files whose names begin so.

pub mod format;
pub mod replay;

use self::format::{Access, File, Is, files, is_part, load, root};
use self::replay::{Filled, Values, fill_request, run_case, seeds};
use crate::world::World;

#[tokio::test]
async fn every_pair_holds() {
    let bless = std::env::var_os("LINNET_BLESS").is_some();
    let only = std::env::var("LINNET_GOLDEN").unwrap_or_default();
    let mut wrong = Vec::new();
    for (name, mut file) in files().into_iter().filter(|(name, _)| !is_part(name) && name.starts_with(&only)) {
        for method in file.route.methods.clone() {
            wrong.extend(run(&name, &mut file, &method).await);
        }
        if bless {
            std::fs::write(root().join(&name), serde_json::to_string_pretty(&file).unwrap() + "\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{} pairs do not hold:\n{}", wrong.len(), wrong.join("\n"));
}

/// Runs a file in a world of its own; what did not hold.
async fn run(name: &str, file: &mut File, method: &str) -> Vec<String> {
    let (world, mut values, mut wrong) = prepare(file).await;
    let path = file.route.path.clone();
    for case in &mut file.cases {
        wrong.extend(run_case(&world, name, &path, method, case, &mut values).await);
    }
    wrong
}

/// A world in which the parts that a file names were run; what they saved, and what did not hold.
async fn prepare(file: &File) -> (World, Values, Vec<String>) {
    let world = World::new().await;
    let mut values = seeds();
    let mut wrong = Vec::new();
    for part in &file.before {
        let mut part_file = load(part);
        let first = part_file.route.methods[0].clone();
        let path = part_file.route.path.clone();
        for case in &mut part_file.cases {
            wrong.extend(run_case(&world, part, &path, &first, case, &mut values).await);
        }
    }
    (world, values, wrong)
}

/// A world in which a file was run up to its first `ok` case; that case's request with the values in it, and the values.
pub async fn stage(name: &str, file: &mut File, method: &str) -> Result<(World, Filled, Values), String> {
    let (world, mut values, mut wrong) = prepare(file).await;
    let path = file.route.path.clone();
    for case in &mut file.cases {
        if case.is == Is::Ok && wrong.is_empty() {
            let request = fill_request(&case.request, &path, method, &values);
            return match request.missing() {
                Some(missing) => Err(format!("{name}: {}: nothing saved what this names: {missing}", case.name)),
                None => Ok((world, request, values)),
            };
        }
        wrong.extend(run_case(&world, name, &path, method, case, &mut values).await);
    }
    wrong.push(format!("{name}: no case is `ok`"));
    Err(wrong.join("\n"))
}

/// Whether a path is an instance of a route's. One that an earlier reply gave is taken to be.
fn is_under(path: &str, route: &str) -> bool {
    if path.starts_with("${") {
        return true;
    }
    let path = path.split('?').next().unwrap_or_default();
    path.split('/').count() == route.split('/').count()
        && path.split('/').zip(route.split('/')).all(|(part, name)| name.starts_with('{') || part == name)
}

#[test]
fn every_route_has_a_pair_and_a_refusal() {
    let files = files();
    let mut missing = Vec::new();
    for table in rest::tables() {
        for endpoint in &table.endpoints {
            for method in endpoint.methods.each() {
                let shown = |is: Is| {
                    let about = |(name, file): &&(String, File)| {
                        name.starts_with(&format!("{}/", table.dialect))
                            && !is_part(name)
                            && file.route.path == endpoint.path
                            && file.route.methods.iter().any(|each| each == method.as_str())
                    };
                    files.iter().filter(about).flat_map(|(_, file)| &file.cases).any(|case| {
                        let ask = &case.request;
                        case.is == is
                            && ask.method.as_deref().is_none_or(|each| each == method.as_str())
                            && ask.path.as_deref().is_none_or(|path| is_under(path, endpoint.path))
                    })
                };
                let route = format!("{} {method} {}", table.dialect, endpoint.path);
                if !shown(Is::Ok) {
                    missing.push(format!("{route}: no pair that is `ok`"));
                }
                if !endpoint.public && !shown(Is::Refused) {
                    missing.push(format!("{route}: no pair that is `refused`"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_file_is_about_a_route_that_exists() {
    let tables = rest::tables();
    for (name, file) in files().iter().filter(|(name, _)| !is_part(name)) {
        for method in &file.route.methods {
            let exists = tables.iter().flat_map(|table| &table.endpoints).any(|endpoint| {
                endpoint.path == file.route.path && endpoint.methods.each().any(|each| each.as_str() == method)
            });
            assert!(exists, "{name}: no route {method} {}", file.route.path);
        }
        let of_a_group = matches!(file.access, Some(Access::Member | Access::Admin | Access::Owner));
        assert!(!of_a_group || file.group.is_some(), "{name}: `access` is about a group; `group` must name it");
    }
}

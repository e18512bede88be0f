//! What is under `deploy/`: the files parse, and the configurations in them are ones that the binary takes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::Site;

#[test]
fn the_configurations_are_good() {
    let site = Site::new();
    check(&site, &deploy("linnet.toml"), &[]);
    // As Kubernetes mounts it, with what its Secret gives.
    let manifest = std::fs::read_to_string(deploy("kubernetes/config.yaml")).expect("the manifest");
    let (_, text) = manifest.split_once("linnet.toml: |\n").expect("the configuration in it");
    let text: String = text.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect();
    let file = site.path().join("kubernetes.toml");
    std::fs::write(&file, text).expect("a file");
    let secret = std::fs::read_to_string(deploy("kubernetes/secret.yaml")).expect("the manifest");
    let url = secret.lines().find_map(|line| line.trim().strip_prefix("url: ")).expect("a URL in it");
    check(&site, &file, &[("LINNET__STORE__REDIS__URL", url)]);
}

#[test]
fn the_variables_of_the_image_are_settings() {
    let file = std::fs::read_to_string(deploy("Dockerfile")).expect("the file");
    let variables: Vec<(&str, &str)> = file
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("ENV ").trim_end_matches('\\').trim().split_once('='))
        .filter(|(name, _)| name.starts_with("LINNET__"))
        .collect();
    assert_eq!(variables.len(), 3, "{variables:?}");
    let site = Site::new();
    let empty = site.path().join("empty.toml");
    std::fs::write(&empty, "").expect("a file");
    check(&site, &empty, &variables);
}

#[test]
fn the_manifests_are_yaml() {
    let script = "import sys, yaml\nfor name in sys.argv[1:]: assert all(yaml.safe_load_all(open(name))), name";
    let mut files = vec![deploy("compose.yaml"), deploy("prometheus-rules.yaml")];
    let manifests = std::fs::read_dir(deploy("kubernetes")).expect("the folder");
    files.extend(manifests.map(|entry| entry.expect("an entry").path()));
    assert!(files.len() > 7);
    let has_yaml = Command::new("python3").args(["-c", "import yaml"]).output().is_ok_and(|done| done.status.success());
    if !has_yaml {
        eprintln!("SKIPPED the_manifests_are_yaml: python3 with PyYAML is missing");
        return;
    }
    let done = Command::new("python3").args(["-c", script]).args(&files).output().expect("python runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

fn check(site: &Site, file: &Path, variables: &[(&str, &str)]) {
    let mut command = site.command(&["config", "check", "--config", file.to_str().expect("a plain name")]);
    let output = command.envs(variables.iter().copied()).output().expect("the binary starts");
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
}

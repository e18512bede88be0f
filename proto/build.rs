//! Compiles the contracts with protox, so that no `protoc` needs installing.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["entry.proto", "wire.proto", "store.proto"];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["."])?;
    prost_build::Config::new()
        // Payloads are slices of the frame they arrived in, never copies.
        .bytes(["."])
        .compile_fds(descriptors)?;
    Ok(())
}

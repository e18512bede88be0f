//! The load tester. What it does is in the library.

// A message is allocated by the task that sends it and freed by the one that reads its answer, mostly on another thread.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::ERROR)
        .with_writer(std::io::stderr)
        .init();
    linnet_loadtest::cli::main()
}

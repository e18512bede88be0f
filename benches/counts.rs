//! The same work, counted in instructions instead of timed: the same number on a busy machine as on an idle one.

use std::hint::black_box;

use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group, main};
use workloads::rows::{self, Disk};
use workloads::sessions::{Stepper, caller};
use workloads::{frames, rows::append_all};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts")
}

#[library_benchmark]
#[bench::thousand(frames::stream(1000))]
fn decode(stream: Bytes) -> usize {
    black_box(frames::decode(black_box(&stream)))
}

#[library_benchmark]
#[bench::thousand(frames::push(7), vec![None; 1000])]
fn fan_out(push: proto::wire::Frame, mut receivers: Vec<Option<Bytes>>) -> usize {
    black_box(frames::fan_out(black_box(&push), &mut receivers))
}

#[library_benchmark]
#[bench::hundred(Stepper::new(runtime().block_on(caller())))]
fn session_send(mut stepper: Stepper) -> usize {
    (0..100).map(|_| stepper.send()).sum()
}

fn filled() -> (tokio::runtime::Runtime, Disk) {
    let (runtime, disk) = (runtime(), Disk::open());
    for seq in 1..=20 {
        runtime.block_on(append_all(&disk.store, seq, 50));
    }
    (runtime, disk)
}

#[library_benchmark]
#[bench::hundred(filled())]
fn commit((runtime, disk): (tokio::runtime::Runtime, Disk)) -> Disk {
    runtime.block_on(append_all(&disk.store, 21, 100));
    disk
}

#[library_benchmark]
#[bench::twenty(filled())]
fn scan((runtime, disk): (tokio::runtime::Runtime, Disk)) -> (usize, Disk) {
    (black_box(runtime.block_on(rows::newest(&disk.store, 7, 20))), disk)
}

library_benchmark_group!(name = hot_paths; benchmarks = decode, fan_out, session_send, commit, scan);
main!(library_benchmark_groups = hot_paths);

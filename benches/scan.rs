//! How fast the newest entries of a conversation are read.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use workloads::rows::{Disk, append_all, newest};

fn scan(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let disk = Disk::open();
    for seq in 1..=500 {
        runtime.block_on(append_all(&disk.store, seq, 100));
    }
    let mut group = criterion.benchmark_group("scan");
    for limit in [1usize, 20, 200] {
        group.throughput(Throughput::Elements(limit as u64));
        group.bench_function(BenchmarkId::new("newest", limit), |bencher| {
            bencher.iter(|| black_box(runtime.block_on(newest(&disk.store, 50, limit))));
        });
    }
    group.finish();
}

criterion_group!(benches, scan);
criterion_main!(benches);

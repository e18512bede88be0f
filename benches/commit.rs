//! How fast commits become durable, alone and in company.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use workloads::rows::{Disk, append_all};

fn commit(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let disk = Disk::open();
    let mut group = criterion.benchmark_group("commit");
    let mut seq = 0;
    for waiters in [1u64, 64, 1024] {
        group.throughput(Throughput::Elements(waiters));
        group.bench_function(BenchmarkId::new("fsync", waiters), |bencher| {
            bencher.iter(|| {
                seq += 1;
                runtime.block_on(append_all(black_box(&disk.store), seq, waiters));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, commit);
criterion_main!(benches);

//! What it costs to encode one push and share it among a thousand sessions.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use workloads::frames::{fan_out, push};

fn fanout(criterion: &mut Criterion) {
    let push = push(7);
    let mut receivers = vec![None; 1000];
    let mut group = criterion.benchmark_group("fanout");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("encode-once", |bencher| {
        bencher.iter(|| black_box(fan_out(black_box(&push), &mut receivers)));
    });
    group.finish();
}

criterion_group!(benches, fanout);
criterion_main!(benches);

//! How fast frames are cut out of a byte stream and decoded.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use workloads::frames::{decode, stream};

fn frame(criterion: &mut Criterion) {
    let stream = stream(1000);
    let mut group = criterion.benchmark_group("frame");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("decode", |bencher| bencher.iter(|| black_box(decode(black_box(&stream)))));
    group.finish();
}

criterion_group!(benches, frame);
criterion_main!(benches);

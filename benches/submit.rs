//! What the domain costs per message: rights, rules, place and commit, over a store in memory.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use workloads::world::World;

fn submit(criterion: &mut Criterion) {
    let world = World::start();
    let users = world.users(2);
    let mut group = criterion.benchmark_group("submit");
    group.throughput(Throughput::Elements(100));
    group.bench_function("hundred", |bencher| bencher.iter(|| world.submit(&users[0], &users[1], 100)));
    group.finish();
}

criterion_group!(benches, submit);
criterion_main!(benches);

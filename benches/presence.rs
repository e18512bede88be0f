//! What it costs to write down that a session opens, which every login does.

use criterion::{Criterion, criterion_group, criterion_main};
use workloads::services;
use workloads::world::World;

fn presence(criterion: &mut Criterion) {
    let world = World::start();
    let caller = world.caller(&world.users(1)[0]);
    let mut number = 0;
    criterion.bench_function("presence/open", |bencher| {
        bencher.iter(|| {
            number += 1;
            world.runtime.block_on(services::open(&world.domain, &caller, number));
        });
    });
}

criterion_group!(benches, presence);
criterion_main!(benches);

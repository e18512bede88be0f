//! What a phone's synchronisation costs the domain: a page of conversations with what the phone lacks of each.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use workloads::services;
use workloads::world::World;

fn sync(criterion: &mut Criterion) {
    let world = World::start();
    let caller = world.well_known();
    criterion.bench_function("sync/page", |bencher| {
        bencher.iter(|| black_box(world.runtime.block_on(services::sync(&world.domain, &caller))));
    });
}

criterion_group!(benches, sync);
criterion_main!(benches);

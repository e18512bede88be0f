//! What a read costs the REST service, from the request to the answer's body, without a socket.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use workloads::services;
use workloads::world::World;

fn request(criterion: &mut Criterion) {
    let world = World::start();
    let user = world.users(1).remove(0);
    let router = services::rest(&world.domain);
    criterion.bench_function("request/profile", |bencher| {
        bencher.iter(|| black_box(world.runtime.block_on(services::profile(&router, &world.app, &user.token))));
    });
}

criterion_group!(benches, request);
criterion_main!(benches);

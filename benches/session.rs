//! What a session costs per message, without socket and store.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use workloads::sessions::{Stepper, caller};

fn session(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let mut stepper = Stepper::new(runtime.block_on(caller()));
    criterion.bench_function("session/send", |bencher| bencher.iter(|| black_box(stepper.send())));
}

criterion_group!(benches, session);
criterion_main!(benches);

//! Does one hot path so many times, and says what it allocated: `counted PATH TIMES`.
//!
//! What is done before and after costs the same whatever TIMES is, so the difference between two runs is the path's alone.
//! `tests/gate` takes it, of allocations as printed here and of instructions as valgrind counts them, and compares it with `limits.toml`.

use std::hint::black_box;
use std::process::ExitCode;

use domain::ConversationId;
use workloads::sessions::{Stepper, caller};
use workloads::world::{Phone, User, World};
use workloads::{frames, services};

/// Sessions that a group's message goes to.
const ROOM: usize = 100;
/// The largest TIMES: what is prepared is prepared for so many.
const MOST: usize = 200;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(path), Some(Ok(times))) = (arguments.first(), arguments.get(1).map(|times| times.parse::<usize>()))
    else {
        eprintln!("usage: counted PATH TIMES");
        return ExitCode::from(2);
    };
    if times > MOST {
        eprintln!("at most {MOST} times");
        return ExitCode::from(2);
    }
    match path.as_str() {
        "decode" => decode(times),
        "encode" => encode(times),
        "session" => session(times),
        "submit" => submit(times),
        "sync" => sync(times),
        "request" => request(times),
        "message" => message(times),
        "fanout" => fanout(times),
        "login" => login(times),
        _ => {
            eprintln!("there is no path `{path}`");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn report(work: impl FnOnce()) {
    let counted = allocation_counter::measure(work);
    println!(
        r#"{{"allocations":{},"allocated":{},"retained":{}}}"#,
        counted.count_total, counted.bytes_total, counted.bytes_current
    );
}

/// Frames as they arrive from phones.
fn decode(times: usize) {
    let frame = frames::stream(1);
    let stream = frame.repeat(MOST);
    report(|| {
        black_box(frames::decode(black_box(&stream[..frame.len() * times])));
    });
}

/// Frames as they go to phones.
fn encode(times: usize) {
    let push = frames::push(7);
    report(|| {
        black_box(frames::encode(black_box(&push), times));
    });
}

/// A message through the session alone.
fn session(times: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    let mut stepper = Stepper::new(runtime.block_on(caller()));
    report(|| {
        for _ in 0..times {
            black_box(stepper.send());
        }
    });
}

/// A message through the domain alone, over a store in memory.
fn submit(times: usize) {
    let world = World::start();
    let users = world.users(2);
    world.submit(&users[0], &users[1], 10);
    report(|| world.submit(&users[0], &users[1], times));
}

/// A synchronisation of a device that has nothing yet.
fn sync(times: usize) {
    let world = World::start();
    let caller = world.well_known();
    let all = (services::CONVERSATIONS, services::CONVERSATIONS * services::MESSAGES);
    report(|| {
        for _ in 0..times {
            assert_eq!(world.runtime.block_on(services::sync(&world.domain, &caller)), all, "everything is answered");
        }
    });
}

/// A read over HTTP, from the request to the answer's body.
fn request(times: usize) {
    let world = World::start();
    let user = world.users(1).remove(0);
    let router = services::rest(&world.domain);
    report(|| {
        for _ in 0..times {
            black_box(world.runtime.block_on(services::profile(&router, &world.app, &user.token)));
        }
    });
}

/// A message from one phone to another: sent, stored, acked, pushed, confirmed.
fn message(times: usize) {
    let world = World::start();
    let users = world.users(2);
    let conversation = ConversationId::direct(users[0].id, users[1].id);
    let phones = speak(&world, enter(&world, users), conversation, 10);
    report(|| {
        black_box(speak(&world, phones, conversation, times));
    });
}

/// A message to a group, all of whose members are connected.
fn fanout(times: usize) {
    let world = World::start();
    let users = world.users(1 + ROOM);
    let conversation = world.group(&users);
    let phones = speak(&world, enter(&world, users), conversation, 3);
    report(|| {
        black_box(speak(&world, phones, conversation, times));
    });
}

/// A login, and the session that is idle afterwards.
fn login(times: usize) {
    let world = World::start();
    let mut users = world.users(10 + MOST);
    let later = users.split_off(10);
    let _early = enter(&world, users);
    let mut phones = Vec::new();
    report(|| phones = enter(&world, later[..times].to_vec()));
}

fn enter(world: &World, users: Vec<User>) -> Vec<Phone> {
    world.serve(move |address| users.iter().map(|user| Phone::log_in(address, user)).collect())
}

/// The first phone says something so many times, one after the other, and each of the others hears it.
fn speak(world: &World, mut phones: Vec<Phone>, conversation: ConversationId, times: usize) -> Vec<Phone> {
    world.serve(move |_| {
        let (first, others) = phones.split_first_mut().expect("somebody is there");
        for _ in 0..times {
            first.send(conversation);
            others.iter_mut().for_each(Phone::hear);
        }
        phones
    })
}

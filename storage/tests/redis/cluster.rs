//! The cluster that the other tests stand on does what it says.

use std::time::{Duration, Instant};

use storage::testing::RedisCluster;

#[test]
fn a_killed_master_is_replaced_and_slots_move() {
    let cluster = RedisCluster::start(3, 1);
    assert_eq!(cluster.nodes(), 6);
    let master = cluster.master_of(0);
    let [replica] = cluster.replicas_of(master)[..] else { panic!("one replica") };

    cluster.kill(master);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !cluster.masters().contains(&replica) {
        assert!(Instant::now() < deadline, "nobody took over");
        std::thread::sleep(Duration::from_millis(50));
    }
    cluster.restart(master).unwrap();
    cluster.wait_until_healthy().unwrap();
    assert_eq!(cluster.replicas_of(replica), [master]);

    let added = cluster.add_node(None).unwrap();
    assert_eq!(cluster.master_of(0), replica);
    cluster.move_slots(replica, added, 100).unwrap();
    cluster.wait_until_healthy().unwrap();
    assert_eq!((cluster.master_of(0), cluster.master_of(99), cluster.master_of(100)), (added, added, replica));
}

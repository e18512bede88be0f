//! Libraries of functions that come and go.

use storage::testing::RedisCluster;

use crate::load::{home_at, store};
use crate::support::{Plain, one, record};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_are_loaded_where_they_miss_and_others_stay() {
    let cluster = RedisCluster::start(3, 1);
    let newer = "#!lua name=linnet999\nredis.register_function('linnet999_commit', function() return 'newer' end)";
    for master in cluster.masters() {
        cluster.ask(master, &["FUNCTION", "LOAD", newer]).unwrap();
    }
    let store = store(&cluster);
    for master in cluster.masters() {
        let at = home_at(&cluster, master);
        store.commit(one(at.as_bytes(), b"r", "first")).await.unwrap();
        // Gone under the feet of those that are connected.
        cluster.ask(master, &["FUNCTION", "DELETE", "linnet1"]).unwrap();
        store.commit(one(at.as_bytes(), b"r", "second")).await.unwrap();
        cluster.ask(master, &["FUNCTION", "DELETE", "linnet1"]).unwrap();
        let rows = store.scan(storage::Scan::<Plain>::new(crate::support::home(at.as_bytes()), 10)).await.unwrap();
        assert_eq!(rows[0].record, record("second"));
        let answer = cluster.ask(master, &["FCALL", "linnet999_commit", "0"]).unwrap();
        assert_eq!(answer.into_text().as_deref(), Some("newer"));
    }
    // A master that joins later has none.
    let added = cluster.add_node(None).unwrap();
    let from = cluster.master_of(0);
    cluster.add_node(Some(added)).unwrap();
    cluster.move_slots(from, added, 200).unwrap();
    cluster.wait_until_healthy().unwrap();
    let at = home_at(&cluster, added);
    store.commit(one(at.as_bytes(), b"r", "there")).await.unwrap();
}

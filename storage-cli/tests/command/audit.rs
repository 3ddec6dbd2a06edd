use serde_json::Value;

use super::shell::{Shell, URLS};

#[test]
fn the_log_says_who_did_what_and_verify_finds_that_it_was_cut() {
    for url in URLS {
        let shell = Shell::on(url).with("STORAGE_LAYERS", "audit(actor=ada),compress");
        shell.ok(&["rm", "notes/a.txt"]);
        shell.ok(&["rm", "notes/b.txt"]);
        let tail = shell.ok(&["audit", "tail", "-n", "2"]);
        assert_eq!(tail.lines().count(), 2, "{tail}");
        for part in ["ada", "delete", "notes/b.txt", "ok"] {
            assert!(tail.contains(part), "{tail}");
        }
        let report: Value = serde_json::from_str(&shell.ok(&["audit", "verify", "--json"])).unwrap();
        assert_eq!(
            (&report["entries"], &report["unfinished"]),
            (&4.into(), &0.into())
        );
        let since = format!("4:{}", report["anchor"]["hash"].as_str().unwrap());
        shell.ok(&["audit", "verify", "--since", &since]);

        // Past the layer, as somebody with the medium in hand.
        let mut past = shell.command(&["log", "rm", "_storage.audit"]);
        let past = past.env_remove("STORAGE_LAYERS").output().unwrap();
        assert!(past.status.success(), "{past:?}");
        let ended = shell.run(&["audit", "verify"]);
        assert_eq!(ended.code, 1, "{}", ended.err);
        assert!(ended.out.contains("it ends before entry 4"), "{}", ended.out);
        let refused = shell.run(&["rm", "notes/a.txt"]);
        assert_ne!(refused.code, 0);
        assert!(refused.err.contains("storage audit verify"), "{}", refused.err);
    }
}

#[test]
fn the_order_of_layers_is_explained_where_it_is_wrong() {
    let shell = Shell::on("memory:").with("STORAGE_LAYERS", "retry,compress");
    let refused = shell.run(&["ls"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("compress, retry") && refused.err.contains("STORAGE_LAYERS"),
        "{}",
        refused.err
    );
}

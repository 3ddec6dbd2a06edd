use storage_core::ErrorKind;

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Result<KvSettings> {
    KvSettings::from_variables(
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    )
}

fn refusal(name: &str, value: &str) -> String {
    let outcome = variables(&[(name, value)]).and_then(|settings| settings.apply(KvOptions::new()));
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    error.to_string()
}

#[test]
fn each_setting_sets_its_option_from_variables_and_from_toml() {
    let of_variables = variables(&[
        ("KV_STORAGE_PATH", "./here"),
        ("KV_STORAGE_SIZE_LIMIT", "1 GiB"),
        ("KV_STORAGE_COMPRESSION", "zstd:9"),
        ("KV_STORAGE_ENCRYPTION", "env:MY_KEY"),
        ("KV_CACHE_SIZE_LIMIT", "1048576"),
        ("KV_CACHE_TTL", "10m"),
        ("KV_CACHE_EVICTION_POLICY", "lfu"),
        ("KV_CACHE_COMPRESSION_THRESHOLD", "4 KiB"),
        ("HOME", "is not looked at"),
    ])
    .unwrap();
    let of_toml: KvSettings = toml::from_str(
        r#"
        storage-path = "./here"
        storage-size-limit = "1 GiB"
        storage-compression = "zstd:9"
        storage-encryption = "env:MY_KEY"
        cache-size-limit = 1048576
        cache-ttl = 600
        cache-eviction-policy = "lfu"
        cache-compression-threshold = 4096
        "#,
    )
    .unwrap();
    for settings in [of_variables, of_toml] {
        assert_eq!(settings.path().unwrap().as_deref(), Some("./here"));
        let options = settings.apply(KvOptions::new()).unwrap();
        assert_eq!(options.size_limit, Some(1 << 30));
        assert_eq!((options.codec.as_str(), options.level), ("zstd", Some(9)));
        assert!(options.sealing.is_some_and(|sealing| sealing.is_for_all()));
        assert_eq!(options.memory_limit, 1_048_576);
        assert_eq!(options.ttl, Some(Duration::from_secs(600)));
        assert_eq!(options.eviction, Some(Eviction::Lfu));
        assert_eq!(options.compression_threshold, 4096);
    }
}

#[test]
fn what_nobody_said_is_left_as_it_is() {
    let options = variables(&[])
        .unwrap()
        .apply(KvOptions::new().size_limit(7))
        .unwrap();
    assert_eq!((options.size_limit, options.ttl), (Some(7), None));
}

#[test]
fn unknown_names_are_errors_that_list_the_known_ones() {
    for name in ["KV_CACHE_SIZE", "KV_", "KV_storage_path", "KV_STORAGE-PATH"] {
        let said = refusal(name, "1");
        assert!(said.contains(name), "{said}");
        assert!(
            said.contains("KV_CACHE_SIZE_LIMIT") && said.contains("KV_STORAGE_PATH"),
            "{said}"
        );
    }
    let said = toml::from_str::<KvSettings>("cache-size = 1")
        .unwrap_err()
        .to_string();
    for name in KvSettings::NAMES {
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn bad_values_name_the_variable_and_the_value() {
    for (name, values) in [
        (
            "KV_STORAGE_SIZE_LIMIT",
            &["-1", "abc", "1 XiB", "99999999999999999999", "1.5"][..],
        ),
        ("KV_STORAGE_COMPRESSION", &["zip", "gzip:10", "zstd:x", "lz4:1"]),
        (
            "KV_STORAGE_ENCRYPTION",
            &["env:", "hunter", "passphrase-env:NO_SUCH_VARIABLE_HERE"],
        ),
        ("KV_CACHE_TTL", &["0", "-5", "10 parsecs"]),
        ("KV_CACHE_EVICTION_POLICY", &["fifo", "LRU"]),
        ("KV_CACHE_SIZE_LIMIT", &["all"]),
        ("KV_CACHE_COMPRESSION_THRESHOLD", &["many"]),
    ] {
        for value in values {
            let said = refusal(name, value);
            assert!(
                said.contains(name) && said.contains(&format!("{value:?}")),
                "{said}"
            );
        }
        let said = refusal(name, "");
        assert!(said.contains(name), "{said}");
    }
    let of_file: KvSettings = toml::from_str("cache-ttl = \"never\"").unwrap();
    let said = of_file.apply(KvOptions::new()).unwrap_err().to_string();
    assert!(said.contains("cache-ttl") && said.contains("never"), "{said}");
}

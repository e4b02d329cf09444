//! Expressions and what they say of one cluster, and what becomes of hostile ones.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::pipeline::placement::surroundings::ScoreMap;

fn cluster() -> ManagedCluster {
    serde_json::from_value(json!({
        "metadata": {"name": "c1", "labels": {"region": "us-east-1", "size": "5"},
            "annotations": {"facts": "{\"zones\": [\"a\", \"b\"], \"weight\": 2}"}},
        "spec": {"hubAcceptsClient": true, "taints": [{"key": "t", "effect": "NoSelect"}]},
        "status": {"clusterClaims": [{"name": "cloud", "value": "Amazon"}],
            "allocatable": {"cpu": "3500m", "memory": "8Gi"}, "version": {"kubernetes": "v1.31.2"},
            "conditions": [{"type": "ManagedClusterConditionAvailable", "status": "True"}]}
    }))
    .unwrap()
}

fn scores() -> ScoreMap {
    let score = |until: Option<&str>| {
        serde_json::from_value(json!({"status": {"validUntil": until,
            "scores": [{"name": "cpu", "value": 66}, {"name": "memory", "value": -20}]}}))
        .unwrap()
    };
    ScoreMap::from([
        (("c1".to_owned(), "default".to_owned()), score(None)),
        (("c1".to_owned(), "old".to_owned()), score(Some("2025-01-01T00:00:00Z"))),
        (("c10".to_owned(), "other".to_owned()), score(None)),
    ])
}

fn answer(text: &str) -> Answer {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let expressions =
        Expression::compile(&[text.to_owned()]).unwrap_or_else(|error| panic!("{text}: {error}"));
    expressions[0].evaluate(&cluster(), Scores::Known(&scores()), now)
}

#[rstest]
#[case("true")]
#[case("managedCluster.metadata.name == 'c1'")]
#[case("managedCluster.metadata.labels[\"region\"] == \"us-east-1\"")]
#[case("managedCluster.metadata.labels.region.startsWith('us-')")]
#[case("int(managedCluster.metadata.labels.size) > 4")]
#[case("'region' in managedCluster.metadata.labels && !('zone' in managedCluster.metadata.labels)")]
#[case("has(managedCluster.metadata.labels.region) && !has(managedCluster.metadata.labels.zone)")]
#[case("managedCluster.metadata.labels.?zone.orValue('none') == 'none'")]
#[case("managedCluster.status.clusterClaims.exists(c, c.name == 'cloud' && c.value == 'Amazon')")]
#[case("managedCluster.status.clusterClaims.filter(c, c.name == 'cloud').size() == 1")]
#[case("managedCluster.spec.taints.all(t, t.effect != 'NoSelectIfNew')")]
#[case("managedCluster.spec.hubAcceptsClient")]
#[case("managedCluster.status.version.kubernetes.matches('^v1\\\\.(30|31)\\\\.')")]
#[case("managedCluster.scores('default').filter(s, s.name == 'cpu').all(e, e.value > 60)")]
#[case("managedCluster.scores('default').map(s, s.value).max() == 66")]
#[case("managedCluster.scores('default').map(s, s.value).sum() == 46")]
#[case("managedCluster.metadata.annotations.facts.parseJSON().zones[1] == 'b'")]
#[case("quantity(managedCluster.status.allocatable.cpu).isGreaterThan(quantity('3'))")]
#[case("quantity('1Gi') == quantity('1024Mi')")]
#[case("quantity('1').add(quantity('500m')).compareTo(quantity('1.5')) == 0")]
#[case("quantity('2').sub(1).asInteger() == 1 && quantity('-2').sign() == -1")]
#[case("isQuantity('1Gi') && !isQuantity('many')")]
#[case("semver(managedCluster.status.version.kubernetes).isGreaterThan(semver('1.30.9'))")]
#[case("semver('1.0.0-rc.2').isLessThan(semver('1.0.0')) && semver('1.2.3').minor() == 2")]
#[case("'a,b'.split(',')[1] == 'b' && 'abc'.upperAscii() == 'ABC'")]
#[case("'a1b22'.findAll('[0-9]+') == ['1', '22'] && 'a1'.find('[0-9]') == '1'")]
#[case("[1, 2, 3].isSorted() && [3, 1].min() == 1")]
#[case("managedCluster.metadata.labels['gone'] == 'x' || true")]
#[case("timestamp('2026-01-01T00:00:00Z') < timestamp('2026-01-01T01:00:00+00:30')")]
#[case("timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')")]
#[case("timestamp('2026-05-06T07:08:09Z').getFullYear() == 2026 && duration('90m').getHours() == 1")]
#[case("url('https://user@api.example.com:6443/a%20b?x=1&x=2#f').getHost() == 'api.example.com:6443'")]
#[case("url('https://api.example.com:6443/a%20b?x=1&x=2').getHostname() == 'api.example.com'")]
#[case("url('https://api.example.com:6443/').getPort() == '6443' && url('/only').getScheme() == ''")]
#[case(
    "url('https://h/a%20b').getEscapedPath() == '/a%20b' && url('https://h/?x=1&x=2').getQuery()['x'] == ['1', '2']"
)]
#[case("isURL('https://h') && isURL('/path') && !isURL('h/path') && !isURL('')")]
#[case("url('https://h') == url('https://h')")]
#[case(
    "isIP('10.0.0.1') && isIP('::1') && !isIP('10.0.0.256') && !isIP('::ffff:1.2.3.4') && !isIP('fe80::1%eth0')"
)]
#[case("ip('10.0.0.1').family() == 4 && ip('::1').family() == 6 && ip('::1').isLoopback()")]
#[case("ip.isCanonical('::1') && !ip.isCanonical('0:0::1')")]
#[case(
    "ip('0.0.0.0').isUnspecified() && ip('169.254.1.1').isLinkLocalUnicast() && ip('224.0.0.7').isLinkLocalMulticast()"
)]
#[case("ip('8.8.8.8').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast()")]
#[case("cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))")]
#[case(
    "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))"
)]
#[case("cidr('10.1.2.3/16').masked() == cidr('10.1.0.0/16') && cidr('::/0').prefixLength() == 0")]
#[case(
    "cidr('10.1.2.3/16').ip() == ip('10.1.2.3') && isCIDR('::/128') && !isCIDR('10.0.0.0/33') && !isCIDR('10.0.0.0')"
)]
#[case("!format.dns1123Label().validate('my-name').hasValue()")]
#[case("format.dns1123Label().validate('My_Name').hasValue()")]
#[case("format.named('uuid').hasValue() && !format.named('nonsense').hasValue()")]
#[case("!format.date().validate('2026-01-31').hasValue() && format.date().validate('2026-02-31').hasValue()")]
#[case(
    "!format.labelValue().validate('').hasValue() && !format.qualifiedName().validate('a.b/C_d').hasValue()"
)]
#[case("isSemver('v1.2', true) && !isSemver('1.2') && semver('v01.2', true) == semver('1.2.0')")]
#[case("'a1b22c333'.findAll('[0-9]+', 2) == ['1', '22'] && 'a1'.findAll('[0-9]', -1) == ['1']")]
fn clusters_that_are_wanted(#[case] text: &str) {
    assert_eq!(answer(text), Answer::True, "{text}");
}

#[rstest]
// A person's word: labels, annotations, spec and claims.
#[case("managedCluster.metadata.labels.region == 'eu'", Some(true))]
#[case("managedCluster.metadata.labels['gone'] == 'x'", Some(true))]
#[case("managedCluster.metadata.annotations.gone == 'x'", Some(true))]
#[case("managedCluster.status.clusterClaims.exists(c, c.value == 'Google')", Some(true))]
#[case("!managedCluster.spec.hubAcceptsClient", Some(true))]
// A machine's report: nothing may go because of it.
#[case("managedCluster.status.conditions.exists(c, c.status == 'False')", Some(false))]
#[case("managedCluster.scores('default').exists(s, s.value > 90)", Some(false))]
#[case("managedCluster == managedCluster && false", Some(false))]
// It cannot be said.
#[case("managedCluster.status.gone.x == 1", None)]
#[case("managedCluster.scores('gone').size() == 0", None)]
#[case("managedCluster.scores('old').size() == 2", None)]
#[case("managedCluster.metadata.name", None)]
#[case("1 / 0 == 1", None)]
#[case("managedCluster.metadata.name + 1 == 'c11'", None)]
#[case("'x'.matches('(')", None)]
#[case("quantity('much').sign() == 1", None)]
#[case("'{'.parseJSON() == 1", None)]
#[case("[].max() == 1", None)]
#[case("timestamp('yesterday') < timestamp('2026-01-01T00:00:00Z')", None)]
#[case("url('not a url').getHost() == ''", None)]
#[case("ip('10.0.0.300').family() == 4", None)]
#[case("cidr('10.0.0.0/8').containsIP('x')", None)]
#[case("ip('10.0.0.1').prefixLength() == 8", None)]
#[case("format.uri().validate(1).hasValue()", None)]
fn clusters_that_are_not(#[case] text: &str, #[case] chosen: Option<bool>) {
    match (answer(text), chosen) {
        (Answer::False { chosen: found }, Some(chosen)) => assert_eq!(found, chosen, "{text}"),
        (Answer::Fault(_), None) => {}
        (found, _) => panic!("{text}: {found:?}"),
    }
}

#[rstest]
#[case("1 +", "compilation failed: ")]
#[case("", "compilation failed: ")]
#[case("cluster.name == 'x'", "compilation failed: undeclared reference to 'cluster'")]
#[case(
    "managedCluster.metadata.labels.exists(k, j == 'x')",
    "compilation failed: undeclared reference to 'j'"
)]
#[case("now() == 1", "compilation failed: undeclared reference to 'now'")]
#[case("ip.isNothing('x')", "compilation failed: undeclared reference to ")]
#[case("Struct{a: 1}.a == 1", "compilation failed: undeclared reference to 'Struct'")]
#[case("has(managedCluster)", "compilation failed: ")]
#[case("99999999999999999999 == 1", "compilation failed: ")]
fn expressions_that_cannot_be_compiled(#[case] text: &str, #[case] expected: &str) {
    let error = Expression::compile(&[text.to_owned()]).unwrap_err();
    assert!(error.starts_with(expected), "{text}: {error}");
}

#[rstest]
#[case("(".repeat(3000))]
#[case(format!("{}1{}", "(".repeat(100), ")".repeat(100)))]
#[case(format!("true{}", " && true".repeat(2000)))]
#[case(format!("1{}", "+1".repeat(2000)))]
#[case(format!("a{}", ".b".repeat(2000)))]
#[case(format!("{}true", "!".repeat(2000)))]
#[case(format!("{}1{}", "[1].map(x, ".repeat(6), ")".repeat(6)))]
#[case("x".repeat(5000))]
fn hostile_expressions_are_refused_before_they_are_read(#[case] text: String) {
    assert!(Expression::compile(&[text]).is_err());
}

#[test]
fn an_expression_that_would_take_long_is_not_run() {
    let text = "managedCluster.spec.taints.all(a, managedCluster.spec.taints.all(b, managedCluster.spec.taints.all(c, true)))";
    assert_eq!(answer(text), Answer::True);
    let mut large = cluster();
    large.spec.taints = vec![large.spec.taints[0].clone(); 300];
    let expressions = Expression::compile(&[text.to_owned()]).unwrap();
    let found = expressions[0].evaluate(&large, Scores::NotKnown("unused"), Timestamp::UNIX_EPOCH);
    assert!(matches!(found, Answer::Fault(ref why) if why.contains("steps")), "{found:?}");
}

#[test]
fn scores_that_are_not_known_say_nothing() {
    let expressions =
        Expression::compile(&["managedCluster.scores('default').size() == 0".to_owned()]).unwrap();
    let found = expressions[0].evaluate(&cluster(), Scores::NotKnown("not read yet"), Timestamp::UNIX_EPOCH);
    assert_eq!(found, Answer::Fault("not read yet".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_text_panics(text in "[a-z0-9 .,'\"()\\[\\]{}?:!&|+*/%<>=\\\\\n-]{0,60}") {
        if let Ok(expressions) = Expression::compile(&[text]) {
            expressions[0].evaluate(&cluster(), Scores::Known(&scores()), Timestamp::UNIX_EPOCH);
        }
    }

    #[test]
    fn no_expression_of_words_panics(words in prop::collection::vec(prop::sample::select(vec![
        "managedCluster", ".metadata", ".labels", "['region']", " == ", "'x'", " && ", "!", "(", ")", "1", " + ", "has(",
        ".exists(c, ", "c", ".scores('default')", "quantity('1')", ".isLessThan(", "semver('1.2.3')", "[0]", ".map(x, ", "x",
        "true", " ? ", " : ", "null", " in ", ".size()", "{'a': 1}", "[1, 2]", ".?b", ".orValue(", ".parseJSON()", ".max()",
    ]), 1..9)) {
        if let Ok(expressions) = Expression::compile(&[words.concat()]) {
            expressions[0].evaluate(&cluster(), Scores::Known(&scores()), Timestamp::UNIX_EPOCH);
        }
    }
}

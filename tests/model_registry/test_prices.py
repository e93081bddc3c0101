"""What calls cost, and how prices of the list become rows."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawk.errors import UserError
from hawk.model_registry.models import prices_to_record
from hawk.model_registry.price_list import listed_model
from hawk.model_registry.prices import Price, TokenUsage, cost_usd, price_at
from hawk.model_registry.provider_keys import StoredKeys, check_key, check_key_reference, secret_from_secrets_manager

THEN, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


def price(at: datetime = THEN, tier: int = 0, usd: str = "1", **others: Decimal) -> Price:
    return Price(at, tier, Decimal(usd), Decimal(usd) * 5, **others)


def test_cost_is_tokens_times_dollars_per_million():
    usage = TokenUsage(1_000, 200, input_tokens_cache_read=4_000, input_tokens_cache_write=500, reasoning_tokens=50)
    full = Price(THEN, 0, Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75"), Decimal(6))

    assert cost_usd(full, usage) == Decimal("0.003") + Decimal("0.003") + Decimal("0.0012") + Decimal("0.001875")
    hourly = TokenUsage(0, 0, input_tokens_cache_write=500, input_tokens_cache_write_1h=200)
    assert cost_usd(full, hourly) == Decimal("0.001125") + Decimal("0.0012")


def test_cache_without_a_price_of_its_own_costs_what_input_does():
    usage = TokenUsage(0, 0, input_tokens_cache_read=10, input_tokens_cache_write=10, input_tokens_cache_write_1h=5)

    assert cost_usd(price(), usage) == Decimal("0.00002")


def test_cost_of_tokens_without_a_price_is_unknown_and_not_zero():
    assert cost_usd(Price(THEN, 0, None, Decimal(1)), TokenUsage(1, 1)) is None
    assert cost_usd(Price(THEN, 0, None, Decimal(1)), TokenUsage(0, 1)) == Decimal("0.000001")


@pytest.mark.parametrize(
    ("moment", "tokens", "usd"),
    [
        (THEN - timedelta(days=1), 0, None),
        (THEN, 0, 1),
        (THEN, 200_000, 1),
        (THEN, 200_001, 2),
        (NOW, 0, 3),
        (NOW, 300_000, 3),
    ],
)
def test_price_in_force_is_the_newest_of_the_highest_tier_reached(moment, tokens, usd):
    prices = [price(THEN, 200_001, "2"), price(NOW, 0, "3"), price(THEN, 0, "1")]

    found = price_at(prices, moment, tokens)

    assert (found and found.input_usd) == usd


@pytest.mark.parametrize(
    ("name", "tiers", "input_usd"),
    [
        ("openai/gpt-4o-mini", [0], "0.15"),
        ("anthropic/claude-sonnet-4-5", [0, 200_001], "3"),
        ("google/vertex/gemini-2.5-pro", [0, 200_001], "1.25"),
        ("openai-api/deepseek/deepseek-chat", [0], None),
        ("openai/azure/gpt-4o-mini", [0], "0.15"),
    ],
)
def test_price_list_knows_models_as_inspect_names_them(name, tiers, input_usd):
    listed = listed_model(name)

    assert listed is not None
    assert [entry.from_input_tokens for entry in listed.prices] == tiers
    assert input_usd is None or listed.prices[0].input_usd == Decimal(input_usd)
    assert listed.source.startswith("genai-prices ")


def test_price_list_agrees_with_its_own_calculation():
    from genai_prices import Usage, calc_price

    for tokens in (199_999, 200_000, 200_001, 400_000):
        listed = listed_model("anthropic/claude-sonnet-4-5")
        theirs = calc_price(
            Usage(input_tokens=tokens, output_tokens=1000), "claude-sonnet-4-5", provider_id="anthropic"
        )
        ours = cost_usd(price_at(listed.prices, NOW, tokens), TokenUsage(tokens, 1000))

        assert ours == theirs.total_price


def test_alias_has_the_price_of_what_it_stands_for_and_an_unknown_model_none():
    assert listed_model("openai/fast", provider_model="gpt-4o-mini").prices[0].input_usd == Decimal("0.15")
    assert listed_model("openai/nobody-knows-this") is None
    assert listed_model("nobody/gpt-4o-mini") is None


def test_first_reading_records_all_and_a_changed_price_is_in_force_from_now():
    listed = [price(), price(tier=200_001, usd="2")]
    dearer = [price(usd="1.5"), price(tier=200_001, usd="2")]
    coming = price(NOW + timedelta(days=9), usd="9")

    assert prices_to_record([], listed, now=NOW) == listed
    assert prices_to_record(listed, listed, now=NOW) == []
    assert prices_to_record(listed, dearer, now=NOW) == [entry._replace(effective_at=NOW) for entry in dearer]
    assert prices_to_record(listed, [*listed, coming], now=NOW) == [coming]
    assert prices_to_record([*listed, coming], [*listed, coming], now=NOW) == []


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_what_is_recorded_is_never_recorded_again(changes):
    recorded: list[Price] = []
    for day, usd in enumerate(changes):
        now = NOW + timedelta(days=day)
        listed = [price(usd=str(usd))]
        recorded += prices_to_record(recorded, listed, now=now)

        assert prices_to_record(recorded, listed, now=now) == []
        assert price_at(recorded, now, 0).input_usd == usd


@pytest.mark.parametrize("reference", ["env:OPENROUTER_API_KEY", "secret:hawk/keys/openrouter", "stored", "none"])
def test_key_references_that_are_taken(reference):
    assert check_key_reference(reference) == reference


@pytest.mark.parametrize(
    "reference",
    ["", "env:PATH", "env:HAWK_OPENAI_API_KEY", "env:HAWK_JOB_TOKEN_KEY", "sk-123", "secret:", "file:/etc/x"],
)
def test_other_references_are_refused(reference):
    with pytest.raises(UserError):
        check_key_reference(reference)


@pytest.mark.parametrize("key", ["", "  ", "a\nb", "é", "x" * 9000])
def test_what_no_header_can_hold_is_no_key(key):
    from pydantic import SecretStr

    with pytest.raises(UserError):
        check_key(SecretStr(key))


def test_stored_key_is_read_under_its_own_secret_key_only():
    from cryptography.fernet import Fernet
    from pydantic import SecretStr

    first, second = (StoredKeys(SecretStr(Fernet.generate_key().decode())) for _ in range(2))
    ciphertext = first.encrypt(SecretStr("sk-1"))

    assert first.decrypt(ciphertext).get_secret_value() == "sk-1"
    assert b"sk-1" not in ciphertext
    with pytest.raises(UserError, match="another HAWK_SECRET_KEY"):
        second.decrypt(ciphertext)


def test_key_in_secrets_manager_is_read():
    import boto3
    from moto import mock_aws

    from hawk.errors import NotFound

    with mock_aws():
        client = boto3.client(
            "secretsmanager", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        client.create_secret(Name="hawk/keys/groq", SecretString="gsk-1")

        assert secret_from_secrets_manager("hawk/keys/groq", client=client).get_secret_value() == "gsk-1"
        with pytest.raises(NotFound):
            secret_from_secrets_manager("hawk/keys/other", client=client)

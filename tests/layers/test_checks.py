import pytest

from attention_zoo.layers.checks import check_positive_integer, check_share


@pytest.mark.parametrize("value", [True, False, 0, -1, 2.0, "3", None])
def test_a_value_that_is_no_positive_integer_is_refused_by_name(value):
    with pytest.raises(ValueError, match=f"`units` must be a positive integer. Received: units={value!r}"):
        check_positive_integer("units", value)


def test_none_is_allowed_where_the_argument_is_optional():
    check_positive_integer("units", None, optional=True)
    with pytest.raises(ValueError, match="integer or None. Received: units=0"):
        check_positive_integer("units", 0, optional=True)


@pytest.mark.parametrize("value", [-0.1, 1, 1.5])
def test_a_share_out_of_range_is_refused_by_name(value):
    with pytest.raises(ValueError, match="`dropout` must be in"):
        check_share("dropout", value)

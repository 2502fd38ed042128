from unispeech_cli.scorer.markup import join, tag, verbatim


def test_text_is_escaped_wherever_it_stands() -> None:
    made = tag("td.name.best", "<b>&", tag("b", '"'), attributes={"title": '"><script>', "data-sort": None})
    assert made.html == (
        '<td class="name best" title="&quot;&gt;&lt;script&gt;">&lt;b&gt;&amp;<b>&quot;</b></td>'
    )


def test_an_element_without_inside_has_no_end() -> None:
    assert tag("meta", attributes={"charset": "utf-8"}).html == '<meta charset="utf-8">'


def test_nodes_stand_one_after_another() -> None:
    assert join(["a<", tag("i", "b")]).html == "a&lt;<i>b</i>"


def test_code_stays_as_it_is() -> None:
    assert verbatim("script", "a < b && c > d").html == "<script>a < b && c > d</script>"

"""What somebody who means harm puts where a name, an id or a text is asked for."""

LONG = "x" * 10_000
TEMPLATE = "{{ conn.pinecone_default.password }}{% for x in ().__class__.__mro__ %}{{ x }}{% endfor %}"
MARKUP = "\"><script>document.title='broken'</script><img src=x onerror=alert(1)><a href='javascript:alert(1)'>"
MARKDOWN = "`[approve](javascript:alert(1)) ![](http://127.0.0.1:9/pixel.png) <b>`"
# Printable: where a text is wanted, and not the name of something, they are kept as they are.
PRINTABLE = {
    "sql": "'; drop table embeddings_db.document_embeddings; --",
    "sql_condition": '") or 1=1 --',
    "placeholder": "?",
    "statement_template": "{{ source_snapshot }}",
    "template": TEMPLATE,
    "format": "{0.__class__} %s %(name)s %n $(id) `id` ${HOME}",
    "markup": MARKUP,
    "markdown": MARKDOWN,
    "path": "../../../etc/passwd",
    "encoded_path": "..%2f..%00%252e",
    "formula": '=cmd|"/c calc"!A1',
    "bidi": "\u202egnp.exe\u2066",
    "negative": "-1",
    "huge_number": "9" * 5_000,
    "unicode_digits": "\u0661\u0662\u0663",
    "fullwidth_sql": "\uff07; drop table x",
    "odd_time": "0001-01-01T00:00+23:59",
    "time_of_lines": "2026-01-31\n12:00+00:00",
}
UNPRINTABLE = {
    "null": "a\0b",
    "escape": "\x1b[2J\x1b]0;owned\x07",
    "half_a_surrogate": "a\ud800b",
    "long": LONG,
}
TEXTS = PRINTABLE | UNPRINTABLE
# Texts that forge a line of a log are kept, on one line.
LINES = "mended\nERROR the batch was approved by admin\r\nINFO all is well"

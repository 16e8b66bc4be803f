"""Without LangChain the rest of the package works, and the retriever says what to install."""

import subprocess
import sys

WITHOUT = "import sys; sys.modules['langchain_core'] = None; import embedding_lakehouse.retrieval; import embedding_lakehouse.langchain"


def test_without_the_extra_the_import_says_what_to_install() -> None:
    tried = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert tried.returncode == 1
    assert "embedding-lakehouse[langchain]" in tried.stderr.splitlines()[-1]

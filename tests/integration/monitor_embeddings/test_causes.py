"""Each cause is provoked with real batches, and named first."""

from tests.drift_fixtures import KITCHEN, Monitoring, WordsModel, corpus, prose


def test_other_documents_are_a_source_change(monitoring: Monitoring) -> None:
    documents = corpus()
    monitoring.embed(documents)
    monitoring.monitor()
    batch_id = monitoring.embed({name: prose(name, KITCHEN) if name > "doc 010" else text for name, text in documents.items()})
    row = monitoring.monitor()
    print(row["verdict"])
    for name, measure in monitoring.measures(row).items():
        print(name, measure["drift"], measure["threshold"], measure["detail"])
    assert row["causes"] == ["source"]
    assert row["since_batch_id"] == batch_id
    assert "29 of 40 documents changed" in row["verdict"]


def test_a_model_that_answers_otherwise_is_a_provider_change(monitoring: Monitoring) -> None:
    monitoring.embed(corpus())
    monitoring.monitor()
    monitoring.model = WordsModel(turned=0.4)
    row = monitoring.monitor()
    print(row["verdict"])
    assert row["causes"] == ["provider"]

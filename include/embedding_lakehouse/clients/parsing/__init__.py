"""Turn HTML, PDF and DOCX into Markdown, in a child process that a hostile file may crash."""

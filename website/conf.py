# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How Sphinx makes the documentation site of the pages that build.sh has laid out."""

project = "ilnmors.mail"
author = "the ilnmors.mail maintainers"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
# Pages of Ansible itself, which the reference names, are not here, and nothing is asked of the internet. Some pages are
# for those who link to them alone.
suppress_warnings = ["ref.ref", "toc.not_included"]

# A page has the anchors that it has at GitHub and Forgejo, where the same links lead to the same headings.
myst_heading_anchors = 6

html_theme = "furo"
html_title = "ilnmors.mail"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False

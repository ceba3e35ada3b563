# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The words of IMAP: responses, names of mailboxes, sets of UIDs, fingerprints of messages."""

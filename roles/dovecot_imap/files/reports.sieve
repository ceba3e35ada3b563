# A report that mail could not be sent on stays in the inbox: sent on as well, it would fail in turn, again and again.
require ["body", "fileinto"];

if allof(
    header :contains "Content-Type" "multipart/report",
    body :raw :contains "X-Sieve-Redirected-From:"
) {
    fileinto "INBOX";
    stop;
}

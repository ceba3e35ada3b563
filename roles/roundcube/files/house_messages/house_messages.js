// Says to the server that the reader was asked, by what no message can know.
if (window.rcmail) {
    const url = rcmail.url;
    rcmail.url = function (action, query) {
        const asked = query && typeof query === 'object' && query._safe;
        return url.call(this, action, asked ? { ...query, _token: this.env.request_token } : query);
    };
}

<?php
// A stand-in for tests, not SnappyMail.

/** The mail host cannot be reached, or is not the one it should be. */
class ConnectionError extends RuntimeException
{
}

/** The mail host said no. */
class Refused extends RuntimeException
{
}

/** Connect with TLS from the first byte, verified as application.ini says. */
function connect(array $server)
{
    if (1 !== $server['type']) {
        throw new ConnectionError('the stand-in speaks TLS from the first byte only');
    }
    $verify = (bool) setting('ssl', 'verify_certificate', '1');
    $context = stream_context_create(['ssl' => [
        'verify_peer' => $verify,
        'verify_peer_name' => $verify,
        'cafile' => setting('ssl', 'cafile'),
        'peer_name' => $server['host'],
    ]]);
    $address = "tls://{$server['host']}:{$server['port']}";
    $stream = @stream_socket_client($address, $code, $reason, $server['timeout'] ?? 10, STREAM_CLIENT_CONNECT, $context);
    if (!$stream) {
        throw new ConnectionError("{$address}: {$reason}");
    }
    stream_set_timeout($stream, $server['timeout'] ?? 10);
    return $stream;
}

/** Send a line, unless it is empty, and read lines until one matches the pattern. Return that one. */
function converse($stream, string $line, string $until): string
{
    if ('' !== $line) {
        fwrite($stream, "{$line}\r\n");
    }
    while (false !== ($answer = fgets($stream))) {
        if (preg_match($until, $answer)) {
            return $answer;
        }
    }
    throw new ConnectionError('the server ended the connection');
}

/** IMAP (RFC 9051): log in with AUTHENTICATE PLAIN and log out. */
function imap_login(array $server, string $email, string $password): void
{
    $stream = connect($server);
    converse($stream, '', '/^\* OK/');
    converse($stream, 'a AUTHENTICATE PLAIN', '/^\+/');
    $answer = converse($stream, base64_encode("\0{$email}\0{$password}"), '/^a /');
    fwrite($stream, "b LOGOUT\r\n");
    fclose($stream);
    if (!str_starts_with($answer, 'a OK')) {
        throw new Refused($answer);
    }
}

/** SMTP submission (RFC 5321, 6409): log in with AUTH PLAIN and send one message. */
function smtp_send(array $server, string $email, string $password, string $from, string $to, string $message): void
{
    $stream = connect($server);
    $plain = base64_encode("\0{$email}\0{$password}");
    $body = preg_replace('/^\./m', '..', str_replace("\n", "\r\n", $message));
    $steps = [
        '' => 220,
        'EHLO standin.invalid' => 250,
        "AUTH PLAIN {$plain}" => 235,
        "MAIL FROM:<{$from}>" => 250,
        "RCPT TO:<{$to}>" => 250,
        'DATA' => 354,
        "{$body}\r\n." => 250,
        'QUIT' => 221,
    ];
    foreach ($steps as $line => $code) {
        $answer = converse($stream, $line, '/^\d{3} /');
        if ($code !== (int) $answer) {
            throw new Refused($answer);
        }
    }
}

<?php
// A stand-in for tests, not SnappyMail. What is answered follows SnappyMail's HTTP API as far as the tests use it.

const INVALID_TOKEN = 101;
const AUTH_ERROR = 102;
const CONNECTION_ERROR = 104;
const DOMAIN_NOT_ALLOWED = 109;
const CANNOT_SEND = 302;

/** A request that is refused; its code is one of the above. */
class ApiError extends RuntimeException
{
}

function answer(array $path): void
{
    if ('cli' === PHP_SAPI) {
        return;
    }
    header('Cache-Control: no-store');
    switch ($path[0]) {
        case 'AppData':
            send_json(['Auth' => null !== account(), 'System' => ['version' => APP_VERSION, 'token' => token()]]);
            break;
        case 'Json':
            send_json(act(json_decode(file_get_contents('php://input'), true) ?? []));
            break;
        default:
            header('Content-Type: text/html; charset=utf-8');
            readfile(__DIR__ . '/page.html');
    }
}

function send_json(array $data): void
{
    header('Content-Type: application/json; charset=utf-8');
    echo json_encode($data, JSON_THROW_ON_ERROR);
}

function act(array $request): array
{
    try {
        if (!hash_equals(token(), $_SERVER['HTTP_X_SM_TOKEN'] ?? '')) {
            throw new ApiError('', INVALID_TOKEN);
        }
        return ['Action' => $request['Action'], 'Result' => match ($request['Action']) {
            'Login' => log_in($request['Email'], $request['Password']),
            'SendMessage' => send_message($request),
            'Logout' => log_out(),
        }];
    } catch (ApiError $error) {
        return ['Action' => $request['Action'] ?? '', 'Result' => false, 'code' => $error->getCode()];
    }
}

function log_in(string $email, string $password): array
{
    $domain = domain_settings($email) ?? throw new ApiError('', DOMAIN_NOT_ALLOWED);
    try {
        imap_login($domain['IMAP'], $email, $password);
    } catch (ConnectionError $error) {
        error_log('stand-in: ' . $error->getMessage());
        throw new ApiError('', CONNECTION_ERROR);
    } catch (Refused) {
        // SnappyMail's own line (auth_syslog), which fail2ban reads.
        openlog('snappymail', 0, LOG_AUTHPRIV);
        syslog(LOG_ERR, "Auth failed: ip={$_SERVER['REMOTE_ADDR']} user={$email}");
        sleep(1);
        throw new ApiError('', AUTH_ERROR);
    }
    set_cookie('smaccount', seal([$email, $password]));
    return ['Auth' => true, 'Email' => $email, 'System' => ['token' => token()]];
}

function send_message(array $request): bool
{
    [$email, $password] = account() ?? throw new ApiError('', AUTH_ERROR);
    $message = "From: <{$request['from']}>\nTo: <{$request['to']}>\nSubject: {$request['subject']}\n"
        . 'Date: ' . gmdate('r') . "\n" . 'Message-ID: <' . bin2hex(random_bytes(16)) . "@standin.invalid>\n\n"
        . $request['plain'];
    try {
        $server = domain_settings($email)['SMTP'];
        smtp_send($server, $email, $password, $request['from'], $request['to'], $message);
    } catch (ConnectionError | Refused $error) {
        error_log('stand-in: ' . $error->getMessage());
        throw new ApiError('', CANNOT_SEND);
    }
    return true;
}

function log_out(): bool
{
    set_cookie('smaccount', '');
    return true;
}

/** Who is logged in, as [email, password], or null. */
function account(): ?array
{
    return unseal($_COOKIE['smaccount'] ?? '');
}

/** A token for requests, bound to a cookie that other sites cannot read. */
function token(): string
{
    $_COOKIE['smtoken'] ?? set_cookie('smtoken', bin2hex(random_bytes(16)));
    return hash_hmac('sha256', $_COOKIE['smtoken'], secret());
}

function set_cookie(string $name, string $value): void
{
    $_COOKIE[$name] = $value;
    setcookie($name, $value, ['secure' => true, 'httponly' => true, 'samesite' => 'Strict']);
}

function secret(): string
{
    return hash('sha256', file_get_contents(APP_DATA_FOLDER_PATH . 'SALT.php'), true);
}

function seal(array $data): string
{
    $nonce = random_bytes(12);
    $sealed = openssl_encrypt(json_encode($data), 'aes-256-gcm', secret(), OPENSSL_RAW_DATA, $nonce, $tag);
    return bin2hex($nonce . $tag . $sealed);
}

function unseal(string $sealed): ?array
{
    $raw = preg_match('/^([0-9a-f]{2}){29,}$/', $sealed) ? hex2bin($sealed) : null;
    $open = $raw
        ? openssl_decrypt(substr($raw, 28), 'aes-256-gcm', secret(), OPENSSL_RAW_DATA, substr($raw, 0, 12), substr($raw, 12, 16))
        : false;
    return false === $open ? null : json_decode($open, true);
}

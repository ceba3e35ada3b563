<?php
// Asks the webmail's own plugins, by their classes, without the application: [[class, method, argument, ...], ...].
foreach (glob($argv[1] . '/house-*/*.php') as $file) {
    basename($file) === 'index.php' || require_once $file;
}

/** What is written to a connection of a protocol, one after the other; false for what is not let through. */
function written(string $protocol, string ...$writes): array
{
    $file = tempnam(sys_get_temp_dir(), 'guard');
    $stream = fopen($file, 'w');
    HouseConnection::guard($stream, $protocol);
    $done = array_map(static fn ($data) => false !== @fwrite($stream, $data), $writes);
    @fclose($stream);
    unlink($file);
    return $done;
}

$answers = [];
foreach (json_decode(stream_get_contents(STDIN), true) as [$class, $method, $arguments]) {
    $answers[] = $class ? $class::$method(...$arguments) : $method(...$arguments);
}
echo json_encode($answers, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);

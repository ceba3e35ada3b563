<?php
// A stand-in for tests, not SnappyMail.

/** The first run of a version: mark the data folder, and add the wildcard domain unless `disabled` is there. */
function set_up(): void
{
    $installed = APP_DATA_FOLDER_PATH . 'INSTALLED';
    if (is_file($installed) && APP_VERSION === file_get_contents($installed)) {
        return;
    }
    foreach (['configs', 'domains', 'storage'] as $folder) {
        is_dir(APP_PRIVATE_DATA . $folder) || mkdir(APP_PRIVATE_DATA . $folder, 0700, true);
    }
    if (!file_exists(APP_PRIVATE_DATA . 'domains/disabled')) {
        copy(__DIR__ . '/domains/default.json', APP_PRIVATE_DATA . 'domains/default.json');
    }
    $salt = APP_DATA_FOLDER_PATH . 'SALT.php';
    if (!is_file($salt)) {
        file_put_contents($salt, '<?php //' . bin2hex(random_bytes(48)));
    }
    if (false === file_put_contents($installed, APP_VERSION)) {
        exit(202);
    }
}

/** The settings of a mail domain, or null. A wildcard domain would serve any. */
function domain_settings(string $email): ?array
{
    $name = strtolower(substr(strrchr($email, '@') ?: '@', 1));
    foreach ([$name, 'default'] as $base) {
        $file = APP_PRIVATE_DATA . "domains/{$base}.json";
        if (preg_match('/^[a-z0-9.-]+$/', $base) && is_file($file)) {
            return json_decode(file_get_contents($file), true, flags: JSON_THROW_ON_ERROR);
        }
    }
    return null;
}

/** One setting of application.ini. */
function setting(string $section, string $key, string $default = ''): string
{
    static $settings = null;
    $settings ??= parse_ini_file(APP_PRIVATE_DATA . 'configs/application.ini', true) ?: [];
    return (string) ($settings[$section][$key] ?? $default);
}

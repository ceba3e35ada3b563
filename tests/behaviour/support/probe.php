<?php
// What a program in a webmail's pool may do, as JSON: what it finds is false, or missing, where all is well.
error_reporting(E_ALL);
@ini_set('display_errors', '1');
@ini_set('allow_url_fopen', '1');
// The way out of what was set by a program (PHP before 8.3).
@chdir(sys_get_temp_dir());
@ini_set('open_basedir', '..');
for ($up = 0; $up < 8; ++$up) {
	@chdir('..');
}
@ini_set('open_basedir', '/');
@ini_restore('open_basedir');
trigger_error('a secret in an error', E_USER_WARNING);
$functions = ['exec', 'link', 'mail', 'pcntl_exec', 'passthru', 'popen', 'proc_open', 'putenv', 'shell_exec', 'system'];
echo json_encode([
	'user' => posix_geteuid(),
	'passwd' => @file_get_contents('/etc/passwd'),
	'key' => @file_get_contents('/etc/ssl/ilnmors-mail/host.key'),
	'elsewhere' => @file_put_contents('/tmp/probe', 'x'),
	'settings' => @file_put_contents('SETTINGS', 'x', FILE_APPEND),
	'programs' => @file_exists('/usr/bin/env'),
	'processes' => @file_exists('/proc/1'),
	'url' => @file_get_contents('http://127.0.0.1/'),
	'included' => @include 'http://127.0.0.1/',
	'functions' => array_values(array_filter($functions, 'is_callable')),
]);
echo "\n";
nowhere();

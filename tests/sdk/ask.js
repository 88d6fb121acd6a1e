// What balena's own client makes of a balena API: each answer under its name, as one JSON document.
//
//     node ask.js API TOKEN FLEET OTHER_FLEET DEVICE_TYPE FOLDER
'use strict';

const { getSdk } = require('balena-sdk');

const [api, token, fleet, otherFleet, deviceType, folder] = process.argv.slice(2);
const balena = getSdk({ apiUrl: api, dataDirectory: folder, retryRateLimitedRequests: false });
const { application, device, os, release } = balena.models;

/** The class of the error that a call ends with; null if it ends well. */
const refusal = async (call) => {
	try {
		await call();
		return null;
	} catch (error) {
		return error.name === 'Error' ? error.constructor.name : error.name;
	}
};

const ask = async () => {
	const said = {};
	await balena.auth.loginWithToken(token);
	said.whoami = await balena.auth.whoami();
	said.fleet = await application.get(fleet, {
		$select: ['id', 'app_name', 'slug'],
		$expand: { is_for__device_type: { $select: 'slug' }, organization: { $select: 'handle' } },
	});
	said.noFleet = await refusal(() => application.get('acme/none'));
	said.fleets = (await application.getAll({ $select: 'slug', $orderby: { slug: 'asc' } })).map((one) => one.slug);

	const uuid = device.generateUniqueKey();
	said.uuid = uuid;
	said.registered = await device.register(fleet, uuid, deviceType);
	said.again = await refusal(() => device.register(fleet, uuid, deviceType));
	said.otherArchitecture = await refusal(() => device.register(otherFleet, device.generateUniqueKey(), deviceType));
	const other = await device.register(fleet, device.generateUniqueKey());

	await device.rename(uuid, "kiosk's 1");
	await device.setNote(uuid, 'was kiosk-001');
	said.device = await device.get(uuid, {
		$select: ['id', 'device_name', 'note', 'api_heartbeat_state', 'overall_status'],
		$expand: { belongs_to__application: { $select: 'slug' }, is_of__device_type: { $select: 'slug' } },
	});
	said.byName = (await device.getByName("kiosk's 1")).map((one) => one.uuid);
	said.short = (await device.get(uuid.slice(0, 7), { $select: 'uuid' })).uuid;
	said.noDevice = await refusal(() => device.get('0'.repeat(32)));

	await device.tags.set(uuid, 'site', 'berlin');
	await device.tags.set(uuid, 'site', 'munich');
	await device.tags.set(uuid, 'serial', '00000000765fc593');
	await device.tags.set(uuid, 'floor', '3');
	await device.tags.remove(uuid, 'floor');
	said.spaceInTag = await refusal(() => device.tags.set(uuid, 'a b', '1'));
	const tags = await device.tags.getAllByDevice(uuid, { $orderby: { tag_key: 'asc' } });
	said.tags = tags.map((tag) => [tag.tag_key, tag.value]);
	said.fleetTags = (await device.tags.getAllByApplication(fleet)).length;

	await device.envVar.set(uuid, 'URL', 'https://example.org/?a=1&b=2');
	await device.envVar.set(uuid, 'URL', "it's");
	await device.envVar.set(uuid, 'GONE', '1');
	await device.envVar.remove(uuid, 'GONE');
	said.reserved = await refusal(() => device.envVar.set(uuid, 'BALENA_X', '1'));
	said.variable = await device.envVar.get(uuid, 'URL');
	said.noVariable = (await device.envVar.get(uuid, 'GONE')) ?? null;
	said.variables = (await device.envVar.getAllByDevice(uuid)).map((one) => [one.name, one.value]);
	await device.configVar.set(uuid, 'RESIN_HOST_CONFIG_gpu_mem', '16');
	said.configVariable = await device.configVar.get(uuid, 'RESIN_HOST_CONFIG_gpu_mem');
	said.configVariables = (await device.configVar.getAllByApplication(fleet)).length;

	said.inFleet = (await device.getAllByApplication(fleet, {
		$select: ['uuid'], $orderby: [{ device_name: 'asc' }, { id: 'desc' }],
	})).length;
	said.withTag = (await device.getAllByApplication(fleet, {
		$select: 'uuid',
		$filter: { device_tag: { $any: { $alias: 't', $expr: { t: { tag_key: 'site', value: { $in: ['munich', 'rome'] } } } } } },
	})).map((one) => one.uuid);
	said.counted = await balena.pine.get({
		resource: 'device',
		options: { $count: { $filter: { $not: { note: null }, device_name: { $startswith: 'kiosk' } } } },
	});
	said.expanded = await application.get(fleet, {
		$select: 'slug',
		$expand: { owns__device: { $count: { $filter: { note: null } } } },
	});
	said.page = (await balena.pine.get({
		resource: 'device', options: { $select: 'id', $orderby: { id: 'asc' }, $top: 1, $skip: 1 },
	})).map((one) => one.id);

	await device.move(uuid, 'acme/lobby');
	said.moved = await device.getApplicationName(uuid);
	said.left = (await device.getAllByApplication(fleet, { $select: 'uuid' })).map((one) => one.uuid);
	said.moveNowhere = await refusal(() => device.move(uuid, 'acme/none'));
	await device.remove(other.uuid);
	said.removed = await refusal(() => device.get(other.uuid));

	said.releases = (await release.getAllByApplication('acme/lobby', { $select: ['raw_version', 'status'] }));
	const versions = await os.getAvailableOsVersions(deviceType);
	said.os = versions.map((one) => [one.raw_version, one.variant, one.osType]);
	said.allOs = (await os.getAllOsVersions(deviceType)).length;
	said.downloadSize = await os.getDownloadSize(deviceType, '6.0.24+rev1');
	const image = await os.download({ deviceType, version: 'latest', fileType: '.gz' });
	said.downloaded = 0;
	for await (const piece of image) {
		said.downloaded += piece.length;
	}
	said.noImage = await refusal(() => os.download({ deviceType, version: '1.2.3', fileType: '.gz' }));
	const { apiKey, ...config } = await os.getConfig(fleet, {
		version: '6.0.24+rev1', appUpdatePollInterval: 10, network: 'wifi', wifiSsid: 'ap', wifiKey: 'pw', deviceType,
	});
	said.config = config;
	said.configKey = apiKey.length;
	return said;
};

ask().then(
	(said) => console.log(JSON.stringify(said)),
	(error) => {
		console.error(error);
		process.exitCode = 1;
	},
);
